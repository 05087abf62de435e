"""Tables as CSV files for spreadsheets: no cell is run as a formula."""

import csv
import io
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import BinaryIO, TypeVar, cast

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from common.ciphertext import unopened
from console.access.user import User
from console.pages.rendering import Reader, reader
from console.visibility import visible
from warehouse.queries.sql import StoredText

Record = TypeVar("Record")
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\N{MINUS SIGN}")
_IN_MEMORY, _CHUNK = 1 << 20, 1 << 16


def safe(cell: object) -> object:
    """A cell as it is, or with an apostrophe before a text that a spreadsheet would run. Numbers stay as they are."""
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds")
    if isinstance(cell, str) and _runs(cell):
        return f"'{cell}"
    return "" if cell is None else cell


def _runs(text: str) -> bool:
    """Whether a text is a formula behind blanks, control characters, marks without a width, in letters of any width."""
    if text.startswith(("\t", "\r", "\n")):
        return True
    seen = (letter for letter in unicodedata.normalize("NFKC", text[:_CHUNK]) if not _is_unseen(letter))
    return next(seen, "").startswith(_STARTS_A_FORMULA)


def _is_unseen(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter)[0] in "CZM" or letter in "\u115f\u1160\u3164\uffa0"


def csv_file(
    request: Request,
    user: User,
    name: str,
    header: Sequence[str],
    records: Iterable[Record],
    cells: Callable[[Record], Iterable[Sequence[object]]],
) -> StreamingResponse:
    """An answer that is saved as `name`: the rows that `cells` makes of each record, as the user may see it.

    It is written before this returns, for the answer is sent when the connection is given back.
    """
    read, rows = reader(request, user), (row for record in records for row in cells(visible(record, user)))
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by who sends it
    text = io.TextIOWrapper(cast(BinaryIO, file), encoding="utf-8", errors="backslashreplace", newline="")
    writer = csv.writer(text)
    for row in chain([header], rows):
        writer.writerow([safe(_read(cell, read)) for cell in row])
    text.flush()
    text.detach()
    file.seek(0)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return _FileResponse(cast(BinaryIO, file), headers)


class _FileResponse(StreamingResponse):
    """The bytes of an open file, which is closed when they are sent or when the client goes away."""

    def __init__(self, file: BinaryIO, headers: Mapping[str, str]) -> None:
        chunks = iter(lambda: file.read(_CHUNK), b"")
        super().__init__(chunks, media_type="text/csv; charset=utf-8", headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _read(cell: object, read: Reader) -> object:
    if isinstance(cell, StoredText):
        return read(cell)
    return unopened(cell) if isinstance(cell, str) else cell
