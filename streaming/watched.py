"""What the watchdog of a process looks at: each partition's reading and deciding, the membership, the event loop."""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streaming.partitions import Partition
from streaming.stall_detector import EndUnknown, Look, Offsets, Place, Watched, missed


def of_partition(partition: Partition, full: int) -> Iterator[Watched]:
    """A partition that is held; its reader is not asked while it has `full` records or more in hand."""
    yield Deciding(partition)
    reader = partition.reader
    if reader is not None and len(reader.buffer.records) < full:
        yield WatchedReading(partition)


class Deciding:
    """Whatever is under way in a partition must end: fence, restore, batch, commit, due work."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self.name = f"partition {partition.number}, deciding"

    def places(self) -> Iterable[Place]:
        return [(topic, self._partition.number) for topic in self._partition.committer.positions]

    def look(self, admin: AdminClient, ends: Offsets) -> Look:
        partition = self._partition
        if any(place not in ends for place in self.places()):
            raise EndUnknown
        committer = partition.committer
        done = id(partition), partition.batches, committer.progress.mark(), tuple(committer.positions.items())
        return Look(done, self._behind())

    def _behind(self) -> str | None:
        partition, reader = self._partition, self._partition.reader
        if reader is None:
            return f"it is {partition.doing}"
        if partition.taken is not None:
            return f"a batch of {len(partition.taken.records)} records is not committed"
        if reader.buffer.records:
            return f"{len(reader.buffer.records)} records were read and not handed over"
        return "work is due and not handed over" if partition.committer.has_due_work() else None


class WatchedReading:
    """A partition's reader must come to the end of what is committed."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self.name = f"partition {partition.number}, reading"

    def places(self) -> Iterable[Place]:
        reader = self._partition.reader
        return reader.position() if reader is not None else ()

    def look(self, admin: AdminClient, ends: Offsets) -> Look:
        reader = self._partition.reader
        if reader is None:
            return Look(None, None)
        position = reader.position()
        return Look((id(reader), *position.items()), missed(position, ends))


class Membership:
    """This process must be a member of its group, and hold what the group's coordinator says it was given.

    It is asked with `list_groups`: `describe_consumer_groups` aborts the process when a connection breaks meanwhile
    (confluentinc/librdkafka#4605).
    """

    name = "group membership"

    def __init__(
        self, group: str, instance: Callable[[], str], lead: str, held: Callable[[], set[int]], answer_seconds: float
    ) -> None:
        self._group, self._instance, self._lead, self._held = group, instance, lead, held
        self._answer = answer_seconds

    def places(self) -> Iterable[Place]:
        return ()

    def look(self, admin: AdminClient, ends: Offsets) -> Look:
        try:
            found = admin.list_groups(self._group, self._answer)
        except KafkaException as error:
            raise EndUnknown from error
        members = {member.id: member for group in found for member in group.members}
        mine = [member for id, member in members.items() if id.startswith(f"{self._instance()}-")]
        if not mine:
            return Look(None, f"it is no member of {self._group}")
        given, held = _assigned(mine[0].assignment, self._lead), self._held()
        lacks = f"it was given partitions {sorted(given)} and took {sorted(held)}"
        return Look((mine[0].id, *sorted(given), None, *sorted(held)), lacks if given - held else None)


def _assigned(assignment: bytes, topic: str) -> set[int]:
    """Partitions of a topic in a member's assignment, as Kafka's consumer protocol writes it; none while joining."""
    if not assignment:
        return set()
    topics = ConsumerProtocolMemberAssignment.decode(assignment).assignment
    return {number for name, numbers in topics if name == topic for number in numbers}


class EventLoop:
    """The loop must run what it is handed."""

    name = "event loop"

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._answers, self._asked = loop, 0, False

    def places(self) -> Iterable[Place]:
        return ()

    def look(self, admin: AdminClient, ends: Offsets) -> Look:
        look = Look(self._answers, "it is blocked" if self._asked else None)
        if not self._asked and self._loop.is_running():
            self._asked = True
            self._loop.call_soon_threadsafe(self._answer)
        return look

    def _answer(self) -> None:
        self._answers += 1
        self._asked = False
