"""The sealer: makes the next seals of every chain, and writes the heads.

Before it continues a chain it compares it with the last heads. It refuses if seals or heads are missing, or if either
was made with another key. A person who has the key can make it continue (`adopt`); the heads keep that note for good.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from confluent_kafka import KafkaException, Producer

from assurance.hash_chain import KEYLESS, SEALED, SEALS, Place, Readers, Seal, made_with, make
from assurance.seal_heads import Copy, Heads, Kept, heads_of, kept
from assurance.seal_topic import FoundSeals, SealTopic, follow, publish, read_seals
from assurance.sealed_tables import StillWriting
from streaming.batch import Record
from streaming.topic_reader import partitions_of, read_partitions
from streaming.transactions import producer_config

_MOST = 500  # records of one seal
_LastUnsigned = Callable[[Place, Sequence[FoundSeals]], Seal]


class SealingRefused(RuntimeError):
    """The chains differ from the sealer's last state: the text names the fault and the remedy."""


class Sealer:
    """Seals new records repeatedly; of several sealers, the last one started continues.

    `copies` are the places of the heads. `postponed` lists as text what the last round left for later.
    """

    def __init__(
        self,
        broker: str,
        key: bytes,
        copies: Sequence[Copy],
        topics: Sequence[str] = SEALED,
        others: Readers | None = None,
    ) -> None:
        self._broker, self._key, self._copies = broker, key, copies
        self._topics, self._others = topics, others
        self._producer: Producer | None = None
        self._last: dict[Place, Seal] = {}
        self._heads: Heads | None = None
        self._noted = False
        self.postponed: list[str] = []

    def seal(self) -> int:
        """The number of records sealed. Raises KafkaException, Unreachable, OSError, SealingRefused.

        The next call seals the rest.
        """
        if self._producer is not None:
            with contextlib.suppress(KafkaException):  # if another sealer took over since: read again below
                return self._round(self._producer)
            self._producer = None
        producer = self._take_over()
        sealed = self._round(producer)
        self._producer = producer
        return sealed

    def adopt(self, note: str) -> None:
        """Continue the chains as they are found; `note` says who decided so and why. Raises like `seal`."""
        self._producer = None
        self._take_over(note=note)

    def _take_over(self, note: str | None = None) -> Producer:
        """Fences other sealers: no seal of theirs is published from here on, so the next read is the last of each
        chain.
        """
        producer = Producer({**producer_config(self._broker), "transactional.id": "hourstream-seal-0"})
        producer.init_transactions(60)
        lying, held = read_seals(self._broker, self._key), kept(self._copies, self._key)
        if note is None:
            self._last, self._heads = _continued(lying, held, self._last_unsigned), held.heads
        else:
            if self._key == KEYLESS and any(each.signed is False for each in lying.all):
                raise SealingRefused("there are seals made with a key: set HOURSTREAM_SEAL_KEY_FILE to continue them")
            found = ((place, self._last_adopted(place, each)) for place, each in lying.found.items())
            self._last = {place: last for place, last in found if last is not None}
            self._heads = held.heads
            self._note([f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(note.split())}"])
        self._noted = held.complete and note is None
        return producer

    def _round(self, producer: Producer) -> int:
        sealed, self.postponed = 0, []
        for place, read in readers_of(self._broker, self._topics, self._others).items():
            last = self._last.get(place)
            try:
                for records in _groups(read(0 if last is None else last.end)):
                    last = make(self._key, last, records)
                    publish(producer, self._key, last)
                    self._last[place] = last
                    sealed += len(records)
            except StillWriting as error:
                self.postponed.append(str(error))
        if self._last and (sealed or not self._noted):
            self._note()
        return sealed

    def _note(self, notes: Sequence[str] = ()) -> None:
        heads = heads_of(self._last, self._heads, datetime.now(UTC), notes).signed(self._key)
        for copy in self._copies:
            copy.write(heads.text)
        self._heads, self._noted = heads, True

    def _last_unsigned(self, place: Place, found: Sequence[FoundSeals]) -> Seal:
        """The last seal of a chain without head and MAC. Raises SealingRefused if it was made otherwise.

        Seals of a run without the key are dropped at the end. One that fits no key stays: a record of it was altered,
        and must not be sealed again in its present form.
        """
        chain = follow(found, None).chain
        makers = self._makers(place, chain)
        while makers and makers[-1] == KEYLESS != self._key:
            makers.pop()
        if self._key in makers:
            return chain[len(makers) - 1]
        raise SealingRefused(
            f"the seals of {place[0]}[{place[1]}] were made with another key, or without one: set"
            " HOURSTREAM_SEAL_KEY_FILE to the key they were made with, or continue them as they are with"
            " `hourstream seal --adopt REASON`"
        )

    def _last_adopted(self, place: Place, found: Sequence[FoundSeals]) -> Seal | None:
        """The last seal of a chain that is there and was made with the key, or else without one."""
        chain = follow(found, None).chain
        signed = {each.seal.hash for each in found if each.signed}
        makers = self._makers(place, chain)
        for keys in ((self._key,), (self._key, KEYLESS)):
            for seal, maker in reversed([*zip(chain, makers, strict=True)]):
                if seal.hash in signed or maker in keys:
                    return seal
        return None

    def _makers(self, place: Place, chain: Sequence[Seal]) -> list[bytes | None]:
        """The key that each seal was made with; None: neither ours nor none, or a record was altered since."""
        read = readers_of(self._broker, self._topics, self._others).get(place)
        records = iter(read(chain[0].start)) if read and chain else iter(())
        ahead = next(records, None)
        makers: list[bytes | None] = []
        for seal in chain:
            inside: list[Record] = []
            while ahead is not None and ahead.offset < seal.end:
                if ahead.offset >= seal.start:
                    inside.append(ahead)
                ahead = next(records, None)
            makers.append(next((key for key in (self._key, KEYLESS) if made_with(key, seal, inside)), None))
        return makers


def _continued(lying: SealTopic, held: Kept, unsigned: _LastUnsigned) -> dict[Place, Seal]:
    """The last seal of each chain, held to the heads. Raises SealingRefused."""
    heads = held.heads
    if heads is None:
        if held.others:
            raise SealingRefused(
                f"{'; '.join(held.others)}: set HOURSTREAM_SEAL_KEY_FILE to the key the chains were made with, put the"
                " file back, or continue the chains as they are with `hourstream seal --adopt REASON`"
            )
        if any(each.signed is not None for each in lying.all):
            raise SealingRefused(
                f"{SEALS} has seals, and the heads of its chains are nowhere: put the file of heads back, or continue"
                " the chains as they are with `hourstream seal --adopt REASON`"
            )
        return {place: unsigned(place, found) for place, found in lying.found.items()}
    last: dict[Place, Seal] = {}
    for place, head in heads.chains.items():
        followed = follow(lying.found.get(place, ()), head.hash)
        if followed.headless:
            raise SealingRefused(
                f"the last seal of {place[0]}[{place[1]}], of records up to {head.end}, is gone from {SEALS}: seals"
                " were deleted, or the topic was. Put the topic back, or continue what is there with"
                " `hourstream seal --adopt REASON`"
            )
        last[place] = followed.chain[-1]
    for place, found in lying.found.items():
        signed = [each for each in found if each.signed]
        if place not in last and signed:  # made, and the sealer ended before it noted it
            last[place] = follow(signed, None).chain[-1]
    return last


def readers_of(broker: str, topics: Sequence[str], others: Readers | None) -> Readers:
    """How to read each partition of the topics, and the other places."""
    found = {place: partial(_from, broker, place) for place in partitions_of(broker, topics)}
    return {**found, **(others or {})}


def _from(broker: str, place: Place, offset: int) -> Iterator[Record]:
    return read_partitions(broker, [place], offset)


def _groups(records: Iterable[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    for record in records:
        group.append(record)
        if len(group) == _MOST:
            yield group
            group = []
    if group:
        yield group
