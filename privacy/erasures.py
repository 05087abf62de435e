"""The list of erasures outside the database: one line each, added before the key is destroyed.

A restored backup has the keys of its day. Opening the vault destroys the keys on this list again, so keep the list out
of the database's backups: beside the key's file, unless a setting says otherwise.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from privacy.errors import PeopleError


@dataclass(frozen=True, slots=True)
class Erasure:
    """The destruction of a person's key: when (ISO 8601, UTC), by whom, why."""

    token: str
    at: str
    by: str
    reason: str


def listed(file: Path) -> list[Erasure]:
    """Every erasure of a list; none where there is no file yet. Raises PeopleError for a line that says none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise PeopleError(f"{file}, the list of erasures, cannot be read: {error}") from None
    try:
        return [Erasure(**json.loads(line)) for line in lines if line.strip()]
    except (ValueError, TypeError):
        raise PeopleError(f"{file}, the list of erasures, has a line that is none; correct it by a copy") from None


def add(file: Path, erasures: Iterable[Erasure]) -> None:
    """Put erasures on the list; on the disk when this returns. Raises PeopleError where that cannot be."""
    text = "".join(
        json.dumps({name: getattr(each, name) for name in Erasure.__slots__}, ensure_ascii=False) + "\n"
        for each in erasures
    )
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise PeopleError(
            f"{file}, the list of erasures, cannot be written ({error.strerror}), so nothing was erased: a restored "
            "backup would bring it back. HOURSTREAM_PEOPLE_ERASED_FILE names another"
        ) from None
