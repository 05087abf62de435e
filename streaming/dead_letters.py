"""Records in: decoded and checked against their contract, or set aside whole as a dead letter."""

from collections.abc import Iterable, Iterator

from common.errors import InvalidRecord
from common.isolation import ISOLATED
from schemas.errors import Undecodable
from streaming.batch import Output, Record
from streaming.isolation import is_environment
from topics import dead_letter_record
from topics.records import decoded

DEAD_LETTERS = dead_letter_record.DEAD_LETTERS


def read(records: Iterable[Record], stage: str, dead: list[Output]) -> Iterator[tuple[Record, dict[str, object]]]:
    """(record, its decoded value) of every record that keeps its contract; the others are appended to `dead`."""
    for record in records:
        try:
            value = decoded(record)
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
    """The record with its original bytes and headers, and why it could not be used (DOMAIN §1.8)."""
    key, value = dead_letter_record.dead_letter(
        record.topic,
        record.partition,
        record.offset,
        error=error,
        stage=stage,
        value=record.value,
        key=record.key,
        headers=record.headers,
        timestamp_ms=record.timestamp_ms,
    )
    return Output(DEAD_LETTERS, key, value)


def explained(error: BaseException) -> str:
    """An exception as a dead letter gives it: its type and its message."""
    return f"{type(error).__name__}: {error}"
