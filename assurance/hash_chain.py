"""A chain of hashes over append-only records: finds sealed records that were altered, removed or inserted since.

Each record is hashed with everything Kafka keeps of it (place, time, key, value, headers) and with the hash before it.
A seal covers some hundred records. With a key (HOURSTREAM_SEAL_KEY_FILE) only its holder can make a valid seal; without
one, a seal proves only what was not altered together with it. Pure functions: `assurance.seal_topic`,
`assurance.sealer` and `assurance.seal_verify` read and write seals.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from streaming.batch import Record

SEALS = "billing.seals"
SEALED = (
    "billing.ready",
    "exception.decisions",
    "master.code-map",
    "adjustments",
    "source.billing.statuses",
    "erp.postings",
    "invoice.status",
)
KEYLESS = b""
_MARK = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Place = tuple[str, int]
Readers = Mapping[Place, Callable[[int], Iterable["Record"]]]
"""Reads records sealed beside topics: from an offset on, in order, by the place they are sealed under."""


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
    """The verdict on one chain: `faults` and `notices` as text, `open` records not sealed yet.

    A fault means that data was altered. A notice is information for the reader.
    """

    topic: str
    partition: int
    sealed: int
    open: int
    head: bytes
    faults: tuple[str, ...]
    notices: tuple[str, ...] = ()


def content(record: Record) -> bytes:
    """Everything a record is, unambiguously."""
    parts = [record.topic.encode(), b"%d" % record.partition, b"%d" % record.offset, b"%d" % record.timestamp_ms]
    parts += [b"\x00" if part is None else b"\x01" + part for part in (record.key, record.value)]
    for name, value in record.headers:
        parts += [name.encode(), b"\x00" if value is None else b"\x01" + value]
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def mark(key: bytes, record: Record) -> bytes:
    """The bytes that distinguish a record from an altered one."""
    return hmac.new(key, content(record), sha256).digest()[:_MARK]


def chain(key: bytes, previous: bytes, records: Iterable[Record]) -> bytes:
    """The hash over records that follow those of `previous`."""
    made = hmac.new(key, previous, sha256)
    for record in records:
        made.update(hmac.new(key, content(record), sha256).digest())
    return made.digest()


def mark_size(records: int) -> int:
    """The length of the marks of so many records, in bytes."""
    return records * _MARK


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


def verdict(
    key: bytes, place: Place, seals: Sequence[Seal], records: Iterable[Record], *, vouched: bool = False
) -> Verdict:
    """Compare the records of a partition, in offset order, with its seals, in the order of the chain.

    A seal without the key counts if a later one with the key covers it by its hash. `vouched`: a head made with the key
    covers the whole chain.
    """
    faults: list[str] = []
    keyless: list[Seal] = []
    keyed_end = -1
    coming = iter(records)
    ahead = next(coming, None)
    last: Seal | None = None
    for seal in seals:
        faults += _unfit(last, seal)
        inside: list[Record] = []
        while ahead is not None and ahead.offset < seal.end:
            if ahead.offset >= seal.start:  # earlier records belong to a missing seal, which is reported already
                inside.append(ahead)
            ahead = next(coming, None)
        if made_with(key, seal, inside):
            keyed_end = seal.end
        elif key != KEYLESS and made_with(KEYLESS, seal, inside):
            keyless.append(seal)
        else:
            faults += _altered(key, seal, inside)
        last = seal
    covered = [seal for seal in keyless if vouched or seal.end < keyed_end]
    faults += [
        f"{_named(seal)} was made without the key: seal again with it" for seal in keyless if seal not in covered
    ]
    unsealed = 0 if ahead is None else 1 + sum(1 for _ in coming)
    total, head = (0, b"") if last is None else (last.records, last.hash)
    notices = (_of_no_key(covered),) if covered else ()
    return Verdict(*place, total, unsealed, head, tuple(faults), notices)


def made_with(key: bytes, seal: Seal, records: Sequence[Record]) -> bool:
    """Whether a seal is the one that this key makes of its records."""
    return [r.offset for r in records] == list(seal.offsets) and hmac.compare_digest(
        chain(key, seal.previous, records), seal.hash
    )


def _of_no_key(seals: Sequence[Seal]) -> str:
    seal = seals[-1]
    where = f"{seal.topic}[{seal.partition}]"
    return f"{where}: seals made without the key: {len(seals)}, the last up to {seal.end}; a later one covers them"


def _named(seal: Seal) -> str:
    return f"{seal.topic}[{seal.partition}]: the seal of {seal.start} to {seal.end}"


def _unfit(last: Seal | None, seal: Seal) -> Iterator[str]:
    """Whether a seal continues the one before it."""
    end, previous, total = (0, b"", 0) if last is None else (last.end, last.hash, last.records)
    if (seal.start, seal.previous, seal.records) != (end, previous, total + len(seal.offsets)):
        yield f"{_named(seal)} does not follow the one before"


def _altered(key: bytes, seal: Seal, records: Sequence[Record]) -> Iterator[str]:
    """The records of a seal that are not as they were sealed; the seal itself where all of them seem to be."""
    where = f"{seal.topic}[{seal.partition}]"
    marked = seal.marked
    now = max(
        ({record.offset: mark(each, record) for record in records} for each in (key, KEYLESS)),
        key=lambda marks: sum(marks[offset] == marked.get(offset) for offset in marks),
    )
    found = False
    when = "" if seal.at == _EPOCH else f" at {seal.at:%Y-%m-%d %H:%M:%S}Z"  # some rows have no instant of their own
    for offset in sorted({*now, *marked}):
        if now.get(offset) != marked.get(offset):
            found = True
            what = "is gone" if offset not in now else "was added" if offset not in marked else "was altered"
            yield f"{where}@{offset} {what} since it was sealed{when}"
    if not found:
        yield f"{_named(seal)} was altered, or made with another key"
