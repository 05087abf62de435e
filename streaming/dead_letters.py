"""Records in: decoded and checked against their contract, or set aside whole as a dead letter."""

from collections.abc import Iterable, Iterator

from schemas.codec import decode_for
from schemas.errors import InvalidRecord, Undecodable
from streaming.batch import Output, Record
from streaming.dead_letters import dead_letter, explained
from streaming.isolation import ISOLATED, is_environment
from topics.catalogue import check


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
