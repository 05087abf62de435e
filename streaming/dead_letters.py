"""Records in: decoded and checked against their contract, or set aside whole as a dead letter."""

from collections.abc import Iterable, Iterator

from common.errors import InvalidRecord
from common.timestamps import instant
from schemas.codec import decode_for, encode
from schemas.errors import Undecodable
from streaming.batch import Output, Record
from topics.catalogue import check

DEAD_LETTERS = "dead.letters"


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
        else:
            yield record, value


def dead_letter(record: Record, error: str, stage: str) -> Output:
    """The record with its original bytes and headers, and why it could not be used (DOMAIN §1)."""
    key = f"{record.topic}:{record.partition}:{record.offset}"
    value = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": instant(record.timestamp_ms),
        "key": record.key,
        "value": record.value,
        "headers": [{"key": name, "value": content} for name, content in record.headers],
        "error": error,
        "stage": stage,
    }
    return Output(DEAD_LETTERS, key.encode(), encode(DEAD_LETTERS, value))
