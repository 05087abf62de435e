"""Records in: decoded and checked against their contract, or set aside whole as a dead letter."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from common.errors import InvalidRecord
from common.isolation import ISOLATED
from schemas.codec import decode_for, encode
from schemas.errors import Undecodable
from streaming.batch import Output, Record
from streaming.isolation import is_environment
from topics.catalogue import check

DEAD_LETTERS = "dead.letters"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 253_402_300_799_999  # the end of the year 9999
_LONGEST_ERROR = 4_000  # characters


def read(records: Iterable[Record], stage: str, dead: list[Output]) -> Iterator[tuple[Record, dict[str, object]]]:
    """(record, its decoded value) of every record that keeps its contract; the others are appended to `dead`."""
    for record in records:
        try:
            if record.value is None:
                raise Undecodable("the record has no value; nothing in this system is deleted by a tombstone")
            value = decode_for(record.topic, record.value)
            check(record.topic, record.key, value)
        except (Undecodable, InvalidRecord) as error:
            dead.append(dead_letter(record, str(error), stage))
        except Exception as error:  # one that no check foresaw is the record's too: nothing else was read
            if is_environment(error):
                raise
            ISOLATED.log(f"{stage}: {record.topic}:{record.partition}:{record.offset}", error)
            ISOLATED.count("record")
            dead.append(dead_letter(record, explained(error), stage))
        else:
            yield record, value


def dead_letter(record: Record, error: str, stage: str) -> Output:
    """The record with its original key, value and headers, and why `stage` could not use it (DOMAIN §1).

    It is made of any record: a header without a value has an empty one, an instant outside the calendar is moved to
    its nearest end, and an error is cut at 4,000 characters.
    """
    key = f"{record.topic}:{record.partition}:{record.offset}"
    value = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": _EPOCH + timedelta(milliseconds=min(max(record.timestamp_ms, 0), _LATEST_MS)),
        "key": record.key,
        "value": record.value,
        "headers": [{"key": name, "value": content or b""} for name, content in record.headers],
        "error": printable(error)[:_LONGEST_ERROR],
        "stage": stage,
    }
    return Output(DEAD_LETTERS, key.encode(), encode(DEAD_LETTERS, value))


def printable(text: str) -> str:
    """The text without what UTF-8 or a text column cannot hold: lone surrogates and U+0000."""
    return text.replace("\0", "�").encode(errors="replace").decode()


def explained(error: BaseException) -> str:
    """An exception as a dead letter gives it: its type and its message."""
    return f"{type(error).__name__}: {error}"
