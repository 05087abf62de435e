"""Verifies all sealed records against their seals, and the seals against their heads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assurance.hash_chain import KEYLESS, SEALED, SEALS, Place, Readers, Seal, Verdict, verdict
from assurance.seal_heads import Copy, Heads, Kept, kept
from assurance.seal_topic import Followed, FoundSeals, SealTopic, follow, read_seals
from assurance.sealer import readers_of
from streaming.batch import Record

_SHOWN = 20  # seals of a chain that are skipped
CANNOT_PROVE = (
    "WITHOUT THE KEY this cannot prove that nothing was altered: a writer of Kafka and of the heads can seal"
    " altered records again. Set HOURSTREAM_SEAL_KEY_FILE, or hold the chains to heads kept elsewhere (--head FILE)."
)


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of verifying: one verdict per chain; faults and notices of the seals themselves.

    `unproven` states what could not be proven at all; empty if the key is there.
    """

    chains: tuple[Verdict, ...]
    faults: tuple[str, ...]
    notices: tuple[str, ...]
    unproven: str

    @property
    def all_faults(self) -> list[str]:
        """Those of the seals, then those of each chain."""
        return [*self.faults, *(fault for chain in self.chains for fault in chain.faults)]

    @property
    def all_notices(self) -> list[str]:
        """Those of the seals, then those of each chain."""
        return [*self.notices, *(notice for chain in self.chains for notice in chain.notices)]


def verify(
    broker: str,
    key: bytes,
    copies: Sequence[Copy],
    topics: Sequence[str] = SEALED,
    others: Readers | None = None,
    noted: Heads | None = None,
) -> Verified:
    """Read everything sealed again and hold it to its seals; `noted` are heads that a person kept elsewhere.

    Raises KafkaException, Unreachable, OSError.
    """
    held = kept(copies, key)  # before the seals: those that are made meanwhile follow the heads
    lying = read_seals(broker, key)
    readers = readers_of(broker, topics, others)
    unproven = "" if key != KEYLESS else CANNOT_PROVE
    if faults := _made_otherwise(lying, held, key):
        return Verified((), tuple(faults), lying.garbage, unproven)
    heads = {} if held.heads is None else dict(held.heads.chains)
    verdicts, faults, notices = [], _of_heads(lying, held), list(lying.garbage)
    if held.heads is not None:
        notices += [f"noted when chains were continued as they were: {note}" for note in held.heads.notes]
        notices += held.stale
    elif lying.found:
        notices.append("no heads are kept yet: `hourstream seal` notes where the chains end")
    known = {*topics, *(topic for topic, _ in readers)}
    named = {*lying.found, *heads, *(noted.chains if noted else ())}
    for place in sorted({*readers, *(place for place in named if place[0] in known)}):
        head = heads.get(place)
        followed = follow(lying.found.get(place, ()), None if head is None else head.hash)
        if followed.headless:
            faults.append(
                f"{place[0]}[{place[1]}]: the seal that ends at {head.end if head else 0} is gone from {SEALS}, which"
                " the heads name as the last: the end of the chain was deleted"
            )
        notices += [_skipped(each) for each in followed.skipped[:_SHOWN]]
        if (more := len(followed.skipped) - _SHOWN) > 0:
            notices.append(f"{more} more seals are no part of the chain of {place[0]}[{place[1]}] and are skipped")
        faults += _not_among(place, followed, noted)
        vouched = head is not None and not followed.headless
        read = readers.get(place, _nothing)
        verdicts.append(verdict(key, place, followed.chain, read(0), vouched=vouched))
    notices += [
        f"{each[0].position} seals {place[0]}[{place[1]}], which is not sealed here, and is skipped"
        for place, each in lying.found.items()
        if place[0] not in known
    ]
    if noted is not None and not noted.fits(key):
        faults.append("the heads that were given were altered, or made with another key")
    return Verified(tuple(verdicts), tuple(faults), tuple(notices), unproven)


def _made_otherwise(lying: SealTopic, held: Kept, key: bytes) -> list[str]:
    """Whether everything was made with another key: then no other statement is possible."""
    signed = [each.signed for each in lying.all if each.signed is not None]
    if not signed or any(signed) or (held.heads is not None and held.heads.chains):
        return []
    if key == KEYLESS:
        return [f"the seals of {SEALS} were made with a key: they cannot be checked without it"]
    return [f"the seals of {SEALS} were made with another key, or without one: they cannot be checked with this one"]


def _of_heads(lying: SealTopic, held: Kept) -> list[str]:
    faults = list(held.others)
    if held.heads is None and any(each.signed for each in lying.all):
        faults.append(f"the heads of the chains are nowhere: seals at the end of {SEALS} may have been deleted")
    return faults


def _not_among(place: Place, followed: Followed, noted: Heads | None) -> list[str]:
    """Whether a head that was kept elsewhere is part of the chain."""
    head = None if noted is None else noted.chains.get(place)
    if head is None or any(_same(head.end, head.records, head.hash, seal) for seal in followed.chain):
        return []
    return [f"{place[0]}[{place[1]}]: the head that was given, at {head.end}, is not part of the chain any more"]


def _same(end: int, records: int, hash_: bytes, seal: Seal) -> bool:
    return (end, records, hash_) == (seal.end, seal.records, seal.hash)


def _skipped(each: FoundSeals) -> str:
    seal = each.seal
    named = f"{each.position} is no part of the chain of {seal.topic}[{seal.partition}] and is skipped"
    return named if each.signed else f"{named}: it was not made with this key"


def _nothing(offset: int) -> Iterable[Record]:
    """The records of a partition that is not there any more."""
    return ()
