"""Records of `dead.letters`: an unusable record with its position and the reason (DOMAIN.md §1.8).

A dead letter accepts every record of every topic. Parts that do not fit are cut: the error then states the length and
SHA-256 of each cut part, and the whole record is at the position that the letter names.
"""

import hashlib
from collections.abc import Iterable, Sequence

from schemas import binary
from schemas.bounds import MOST_ID, MOST_TEXT
from schemas.codec import encode
from topics.catalogue import LARGEST_RECORD

DEAD_LETTERS = "dead.letters"
_KEPT_VALUE, _KEPT_PART, _KEPT_HEADERS = 65_536, 4_096, 50  # bytes, bytes, headers of a letter that is cut

Headers = Sequence[tuple[str, bytes | None]]


def dead_letter(
    topic: str,
    partition: int,
    offset: int,
    *,
    error: str,
    stage: str,
    value: bytes | None,
    key: bytes | None = None,
    headers: Headers = (),
    timestamp_ms: int = 0,
) -> tuple[bytes, bytes]:
    """(key, value) of the letter about a record at a position. `timestamp_ms` is the broker's, since 1970.

    For a row of a file, `topic` is the file's name and `offset` the line.
    """
    place = clean(topic)
    fields: dict[str, object] = {
        "topic": place,
        "partition": partition,
        "offset": offset,
        "timestamp": binary.instant(timestamp_ms),
        "key": key,
        "value": value,
        "headers": _listed(headers),
        "error": clean(error)[:MOST_TEXT],
        "stage": stage,
    }
    letter = encode(DEAD_LETTERS, fields)
    if len(letter) > LARGEST_RECORD:
        letter = encode(DEAD_LETTERS, fields | _cut(key, value, headers, str(fields["error"])))
    return f"{place}:{partition}:{offset}".encode(), letter


def cut(value: bytes) -> tuple[bytes, str]:
    """A value short enough to fit after encryption, and the note about the rest ("" if nothing was cut).

    Cutting after encryption would make it unreadable.
    """
    if len(value) <= LARGEST_RECORD // 2:
        return value, ""
    return value[:_KEPT_VALUE], _note("value", value, _KEPT_VALUE)


def _note(what: str, content: bytes, most: int) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"the first {most:,} of {len(content):,} bytes of its {what} are kept, SHA-256 of all {digest}"


def clean(text: str) -> str:
    """The text without characters that no record may hold: U+0000 and halves of surrogate pairs are written out."""
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()


def _listed(headers: Iterable[tuple[str, bytes | None]]) -> list[dict[str, object]]:
    return [{"key": clean(name), "value": content} for name, content in headers]


def _cut(key: bytes | None, value: bytes | None, headers: Headers, error: str) -> dict[str, object]:
    """The fields of a letter that would be too large."""
    notes: list[str] = []

    def kept(what: str, content: bytes | None, most: int) -> bytes | None:
        if content is None or len(content) <= most:
            return content
        notes.append(_note(what, content, most))
        return content[:most]

    fields: dict[str, object] = {"key": kept("key", key, _KEPT_PART), "value": kept("value", value, _KEPT_VALUE)}
    first = [
        (name[:MOST_ID], kept(f"header {name[:MOST_ID]}", content, _KEPT_PART))
        for name, content in headers[:_KEPT_HEADERS]
    ]
    if len(headers) > _KEPT_HEADERS:
        notes.append(f"the first {_KEPT_HEADERS} of {len(headers):,} headers are kept")
    return {**fields, "headers": _listed(first), "error": clean("; ".join((error, *notes)))}
