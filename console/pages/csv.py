"""Tables as CSV files that a spreadsheet may open: no text in them is taken for a formula."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain

from fastapi.responses import StreamingResponse

from common.ciphertext import unopened

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(cell: object) -> object:
    """A cell as it is, or, where a spreadsheet would run its text, with an apostrophe before it. Numbers are left."""
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds")
    # Spreadsheets skip blanks before a formula.
    if isinstance(cell, str) and (cell.startswith(_STARTS_A_FORMULA) or cell.lstrip().startswith(_STARTS_A_FORMULA)):
        return f"'{cell}"
    return "" if cell is None else cell


def csv_file(
    name: str, header: Sequence[str], rows: Iterable[Sequence[object]], read: Callable[[str], str] = unopened
) -> StreamingResponse:
    """An answer that is saved as `name`, written row by row, its texts as `read` makes them readable."""

    def lines() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        for row in chain([header], rows):
            writer.writerow([safe(read(cell) if isinstance(cell, str) else cell) for cell in row])
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()

    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
