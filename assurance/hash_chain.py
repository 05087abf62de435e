"""A chain of hashes over append-only topics: what was sealed and is altered, gone or added since is found.

Sealed are the charges, and what people did: decisions, mapped codes, adjustments, statuses of invoices; beside topics
any other append-only thing that can be read as records (`Readers`), such as a table of acts in PostgreSQL.
Each record is hashed with everything Kafka keeps of it (place, time, key, value, headers) and with the hash before it.
Seals lie on `billing.seals`, one for some hundred records. With a key (HOURSTREAM_SEAL_KEY_FILE) nobody who lacks it
can make a seal that fits; without one, a seal only tells what was not altered together with it.
"""

import contextlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256

from confluent_kafka import KafkaException, Producer

from schemas.codec import decode_for, encode
from streaming.batch import Record
from streaming.topic_reader import partitions_of, read_all, read_partitions
from streaming.transactions import producer_config
from topics.catalogue import key_of

SEALS = "billing.seals"
SEALED = ("billing.ready", "exception.decisions", "master.code-map", "adjustments", "source.billing.statuses")
_MOST = 500  # records of one seal
_MARK = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Place = tuple[str, int]
Readers = Mapping[Place, Callable[[int], Iterable["Record"]]]
"""What is sealed beside topics: the records from an offset on, in order, by the place they are sealed under."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A record of `billing.seals`."""

    topic: str
    partition: int
    start: int
    end: int
    records: int
    previous: bytes
    hash: bytes
    marks: bytes
    offsets: Sequence[int]
    at: datetime

    @property
    def marked(self) -> dict[int, bytes]:
        """{offset: mark} of its records."""
        cut = (self.marks[n : n + _MARK] for n in range(0, len(self.marks), _MARK))
        return dict(zip(self.offsets, cut, strict=True))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a topic's partition since it was sealed: `faults` in words, `open` records not sealed yet."""

    topic: str
    partition: int
    sealed: int
    open: int
    head: bytes
    faults: tuple[str, ...]


def content(record: Record) -> bytes:
    """Everything a record is, unambiguously."""
    parts = [record.topic.encode(), b"%d" % record.partition, b"%d" % record.offset, b"%d" % record.timestamp_ms]
    parts += [b"\x00" if part is None else b"\x01" + part for part in (record.key, record.value)]
    for name, value in record.headers:
        parts += [name.encode(), b"\x00" if value is None else b"\x01" + value]
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def mark(key: bytes, record: Record) -> bytes:
    """What tells a record from an altered one."""
    return hmac.new(key, content(record), sha256).digest()[:_MARK]


def chain(key: bytes, previous: bytes, records: Iterable[Record]) -> bytes:
    """The hash over records that follow those of `previous`."""
    made = hmac.new(key, previous, sha256)
    for record in records:
        made.update(hmac.new(key, content(record), sha256).digest())
    return made.digest()


def make(key: bytes, last: Seal | None, records: Sequence[Record]) -> Seal:
    """The seal of the records that follow `last`'s; there is at least one."""
    first, end = records[0], records[-1]
    previous = b"" if last is None else last.hash
    return Seal(
        topic=first.topic,
        partition=first.partition,
        start=0 if last is None else last.end,
        end=end.offset + 1,
        records=(0 if last is None else last.records) + len(records),
        previous=previous,
        hash=chain(key, previous, records),
        marks=b"".join(mark(key, record) for record in records),
        offsets=[record.offset for record in records],
        at=_EPOCH + timedelta(milliseconds=end.timestamp_ms),
    )


def seals_of(broker: str) -> dict[Place, list[Seal]]:
    """The seals of every partition, in the order they were made."""
    found: dict[Place, list[Seal]] = {}
    for record in read_all(broker, [SEALS]):
        seal = Seal(**decode_for(SEALS, record.value or b""))
        found.setdefault((seal.topic, seal.partition), []).append(seal)
    return found


class Sealer:
    """Seals what is not sealed yet, again and again; of several, the one that came last goes on."""

    def __init__(self, broker: str, key: bytes, topics: Sequence[str] = SEALED, others: Readers | None = None) -> None:
        self._broker, self._key, self._topics, self._others = broker, key, topics, others
        self._producer: Producer | None = None
        self._last: dict[Place, Seal] = {}

    def seal(self) -> int:
        """The number of records sealed. Raises KafkaException; what was not sealed then is by the next call."""
        if self._producer is not None:
            with contextlib.suppress(KafkaException):  # where another one took over since: it is asked again below
                return self._seal(self._producer)
            self._producer = None
        producer = self._take_over()
        sealed = self._seal(producer)
        self._producer = producer
        return sealed

    def _take_over(self) -> Producer:
        """From here on nobody else's seal lands: what is read next is the last of each partition."""
        producer = Producer({**producer_config(self._broker), "transactional.id": "hourstream-seal-0"})
        producer.init_transactions(60)
        self._last = {place: seals[-1] for place, seals in seals_of(self._broker).items()}
        return producer

    def _seal(self, producer: Producer) -> int:
        sealed = 0
        for place, read in _readers(self._broker, self._topics, self._others).items():
            last = self._last.get(place)
            for records in _groups(read(0 if last is None else last.end)):
                last = make(self._key, last, records)
                _publish(producer, last)
                self._last[place] = last
                sealed += len(records)
        return sealed


def _publish(producer: Producer, seal: Seal) -> None:
    record = {name: getattr(seal, name) for name in Seal.__slots__}
    producer.begin_transaction()
    producer.produce(SEALS, encode(SEALS, record), key_of(SEALS, record).encode())
    producer.commit_transaction(60)


def verify(broker: str, key: bytes, topics: Sequence[str] = SEALED, others: Readers | None = None) -> list[Verdict]:
    """Read everything sealed again and hold it to its seals."""
    standing, readers = seals_of(broker), _readers(broker, topics, others)
    gone = {place: _nothing for place in standing if place[0] in topics and place not in readers}
    return [
        verdict(key, place, standing.get(place, []), read(0)) for place, read in sorted({**gone, **readers}.items())
    ]


def _readers(broker: str, topics: Sequence[str], others: Readers | None) -> Readers:
    """How each partition of the topics is read, and the others."""
    found = {place: partial(_from, broker, place) for place in partitions_of(broker, topics)}
    return {**found, **(others or {})}


def _nothing(offset: int) -> Iterable[Record]:
    """The records of a partition that is not there any more."""
    return ()


def verdict(key: bytes, place: Place, seals: Sequence[Seal], records: Iterable[Record]) -> Verdict:
    """Hold the records of a partition, in offset order, to its seals, in theirs."""
    faults: list[str] = []
    coming = iter(records)
    ahead = next(coming, None)
    last: Seal | None = None
    for seal in seals:
        faults += _unfit(last, seal)
        inside: list[Record] = []
        while ahead is not None and ahead.offset < seal.end:
            inside.append(ahead)
            ahead = next(coming, None)
        faults += _altered(key, seal, inside)
        last = seal
    unsealed = 0 if ahead is None else 1 + sum(1 for _ in coming)
    total, head = (0, b"") if last is None else (last.records, last.hash)
    return Verdict(*place, total, unsealed, head, tuple(faults))


def _unfit(last: Seal | None, seal: Seal) -> Iterator[str]:
    """Whether a seal continues the one before it."""
    end, previous, total = (0, b"", 0) if last is None else (last.end, last.hash, last.records)
    if (seal.start, seal.previous, seal.records) != (end, previous, total + len(seal.offsets)):
        yield f"{seal.topic}[{seal.partition}]: the seal of {seal.start} to {seal.end} does not follow the one before"


def _altered(key: bytes, seal: Seal, records: Sequence[Record]) -> Iterator[str]:
    """The records of a seal that are not as they were sealed; the seal itself where all of them seem to be."""
    if [r.offset for r in records] == list(seal.offsets) and chain(key, seal.previous, records) == seal.hash:
        return
    where = f"{seal.topic}[{seal.partition}]"
    found = False
    now = {record.offset: mark(key, record) for record in records}
    for offset in sorted({*now, *seal.marked}):
        if now.get(offset) != seal.marked.get(offset):
            found = True
            what = "is gone" if offset not in now else "was added" if offset not in seal.marked else "was altered"
            yield f"{where}@{offset} {what} since it was sealed at {seal.at:%Y-%m-%d %H:%M:%S}Z"
    if not found:
        yield f"{where}: the seal of {seal.start} to {seal.end} was altered, or made with another key"


def _groups(records: Iterable[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    for record in records:
        group.append(record)
        if len(group) == _MOST:
            yield group
            group = []
    if group:
        yield group


def _from(broker: str, place: Place, offset: int) -> Iterator[Record]:
    return read_partitions(broker, [place], offset)
