"""Reads and writes `billing.seals`: tells seals made with the key from other records, and follows their order.

Every seal carries a MAC of its own bytes in the header `mac`, so that a forged seal is recognised without its records.
Seals of earlier versions have none. A record that is no seal is reported by its position and skipped.
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from confluent_kafka import Producer

from assurance.hash_chain import SEALS, Place, Seal, mark_size
from schemas.codec import decode_for, encode
from streaming.batch import Record
from streaming.topic_reader import read_all
from topics.catalogue import check, key_of

_MAC = "mac"
_HASH = sha256().digest_size


@dataclass(frozen=True, slots=True)
class FoundSeals:
    """A seal and its position; `signed` says whether its MAC fits the key, None that it has none."""

    seal: Seal
    position: str
    signed: bool | None


@dataclass(frozen=True, slots=True)
class SealTopic:
    """The seals by the place they seal, in the order of the topic, and the other records found there, as text."""

    found: dict[Place, list[FoundSeals]]
    garbage: tuple[str, ...]

    @property
    def all(self) -> list[FoundSeals]:
        """Every seal of every chain."""
        return [each for chain in self.found.values() for each in chain]


@dataclass(frozen=True, slots=True)
class Followed:
    """A chain in its order, the seals that are not part of it, and whether the seal of its head is missing."""

    chain: list[Seal]
    skipped: list[FoundSeals]
    headless: bool


def read_seals(broker: str, key: bytes) -> SealTopic:
    """Read the whole topic."""
    found: dict[Place, list[FoundSeals]] = {}
    garbage = []
    for record in read_all(broker, [SEALS]):
        position = f"{record.topic}[{record.partition}]@{record.offset}"
        try:
            seal = _seal(record)
        except (ValueError, TypeError, ArithmeticError) as error:
            garbage.append(f"{position} is no seal and is skipped: {error}")
            continue
        found.setdefault((seal.topic, seal.partition), []).append(FoundSeals(seal, position, _signed(key, record)))
    return SealTopic(found, tuple(garbage))


def publish(producer: Producer, key: bytes, seal: Seal) -> None:
    """Publish a seal in a transaction of its own. Raises KafkaException."""
    record = {name: getattr(seal, name) for name in Seal.__slots__}
    name, value = key_of(SEALS, record).encode(), encode(SEALS, record)
    producer.begin_transaction()
    producer.produce(SEALS, value, name, headers=[(_MAC, _mac(key, name, value))])
    producer.commit_transaction(60)


def _seal(record: Record) -> Seal:
    """Raises ValueError, TypeError or ArithmeticError for a record that is no seal."""
    value = decode_for(SEALS, record.value or b"")
    check(SEALS, record.key, value)
    seal = Seal(**value)
    if len(seal.marks) != mark_size(len(seal.offsets)) or len(seal.hash) != _HASH:
        raise ValueError("its marks or its hash have the wrong length")
    if len(seal.previous) not in (0, _HASH) or not 0 <= seal.start < seal.end:
        raise ValueError("its place in the chain makes no sense")
    within = [seal.start - 1, *seal.offsets, seal.end]
    if not seal.offsets or any(later <= earlier for earlier, later in pairwise(within)):
        raise ValueError("its offsets are not in order")
    return seal


def _mac(key: bytes, name: bytes, value: bytes) -> bytes:
    return hmac.new(key, b"seal\0" + len(name).to_bytes(8, "big") + name + value, sha256).digest()


def _signed(key: bytes, record: Record) -> bool | None:
    macs = [value for name, value in record.headers if name == _MAC]
    if not macs:
        return None
    return hmac.compare_digest(macs[-1] or b"", _mac(key, record.key or b"", record.value or b""))


def follow(found: Sequence[FoundSeals], head: bytes | None) -> Followed:
    """The chain of a place.

    With a head (the hash of its last seal, as kept elsewhere) the chain consists of the seals that lead back from it,
    and of the later ones made with the key. Without one it consists of the seals that follow from the beginning.
    """
    links = _Links(found)
    end = links.of_hash(head) if head is not None else None
    if end is None:
        chain = links.onwards(None, lambda each: each.signed is not False)
        after = chain[-1].seal.end if chain else 0
        chain += [each for each in found if _stranded(each, after, lost=head is not None)]
    else:
        back = links.back(end)
        before = back[0].seal.start
        start = links.onwards(None, lambda each: each.seal.end <= before) if before else []
        chain = [*start, *back, *links.onwards(end, lambda each: each.signed is True)]
    inside = {each.position for each in chain}
    skipped = [each for each in found if each.position not in inside]
    return Followed([each.seal for each in chain], skipped, head is not None and end is None)


def _stranded(each: FoundSeals, after: int, *, lost: bool) -> bool:
    """Whether a seal without a predecessor belongs to the chain all the same: a seal before it is missing."""
    return each.seal.start > after and (each.signed is True or (each.signed is None and not lost))


class _Links:
    """Seals by their hash and by the hash before them."""

    def __init__(self, found: Sequence[FoundSeals]) -> None:
        self._by_hash: dict[bytes, list[FoundSeals]] = {}
        self._by_previous: dict[bytes, list[FoundSeals]] = {}
        for each in found:
            self._by_hash.setdefault(each.seal.hash, []).append(each)
            self._by_previous.setdefault(each.seal.previous, []).append(each)

    def of_hash(self, hash_: bytes) -> FoundSeals | None:
        """The seal of a hash: of copies the one that has its MAC."""
        return self._best(self._by_hash.get(hash_, ()))

    def back(self, end: FoundSeals) -> list[FoundSeals]:
        """The seals before a seal, as far as they exist, in order."""
        chain = [end]
        while chain[-1].seal.previous:
            before = [
                each for each in self._by_hash.get(chain[-1].seal.previous, ()) if each.seal.end <= chain[-1].seal.start
            ]
            if not before:
                break
            chain.append(self._best(before) or before[0])
        return chain[::-1]

    def onwards(self, last: FoundSeals | None, counts: Callable[[FoundSeals], bool]) -> list[FoundSeals]:
        """The seals that follow a seal, or begin a chain."""
        chain: list[FoundSeals] = []
        while True:
            end, previous = (0, b"") if last is None else (last.seal.end, last.seal.hash)
            following = [e for e in self._by_previous.get(previous, ()) if e.seal.start == end and counts(e)]
            last = self._best(following)
            if last is None:
                return chain
            chain.append(last)

    def _best(self, found: Iterable[FoundSeals]) -> FoundSeals | None:
        """Of several seals in one place: one made with the key, then one with followers, then the first."""
        return max(found, key=lambda each: (each.signed is True, each.seal.hash in self._by_previous), default=None)
