"""Ends the process when a consumer stalls behind committed data, whichever layer hangs; the restart resumes.

What is watched is progress, not presence: heartbeats go on while Faust's recovery, a coordinator, a reader
(confluentinc/librdkafka#5153), a decision or a commit hangs. The truth comes from the broker, by way of another client
and a thread of its own, so a blocked event loop is noticed too. While the broker does not answer, an end cannot be
known and no time is counted: a broker that is away for long ends nothing here, and after its return everything must
advance within the bound.
"""

import faulthandler
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streaming.admin import admin_client

log = logging.getLogger("hourstream.plane")
STALL_SECONDS = 180.0
_LOOK_SECONDS, _ANSWER_SECONDS = 10.0, 10.0
_BLOCKED = 1.5  # times the bound: the interpreter itself is blocked when this thread has not run by then
STDERR = 2  # Faust puts a log in the place of `sys.stderr`
Place = tuple[str, int]
"""(topic, partition)"""
Offsets = Mapping[Place, int]


def answer_seconds(stall_seconds: float) -> float:
    """How long a watchdog of that bound waits for an answer of the broker."""
    return min(_ANSWER_SECONDS, stall_seconds / 4)


class EndUnknown(RuntimeError):
    """The broker does not answer, so whether there is more to do cannot be known."""


class ConsumerStalled(RuntimeError):
    """Something is behind its end and has not advanced within the bound."""


class Look(NamedTuple):
    """`position` changes whenever something advances; `behind` says what there is still to do, None at the end."""

    position: Hashable
    behind: str | None


class Watched(Protocol):
    """Something that must advance or be at its end."""

    name: str

    def places(self) -> Iterable[Place]:
        """Whose ends must be known to look at it."""

    def look(self, admin: AdminClient, ends: Offsets) -> Look:
        """Where it stands. Raises EndUnknown."""


@dataclass(slots=True)
class _Seen:
    position: Hashable
    idle_since: float


class ConsumerWatchdog:
    """Looks after what `watched` returns; `end` takes the error and ends the process."""

    def __init__(
        self,
        broker: str,
        watched: Callable[[], Iterable[Watched]],
        end: Callable[[ConsumerStalled], object],
        seconds: float = STALL_SECONDS,
    ) -> None:
        self._broker, self._watched, self._end, self._seconds = broker, watched, end, seconds
        self._admin = admin_client(broker)
        self._every = min(_LOOK_SECONDS, seconds / 4)
        self._answer = answer_seconds(seconds)
        self._looked: float | None = None
        self._seen: dict[str, _Seen] = {}

    def start(self, *, guard: bool = False) -> None:
        """Begin to look. `guard`: also end the process (1, with all tracebacks) when Python runs no thread any more."""
        threading.Thread(target=self._run, args=(guard,), name="watchdog", daemon=True).start()

    def idle_seconds(self) -> float:
        """For how long the one that is longest behind its end has not advanced."""
        seen, looked = list(self._seen.values()), self._looked
        return max((looked - each.idle_since for each in seen), default=0.0) if looked is not None else 0.0

    def _run(self, guard: bool) -> None:
        while True:
            try:
                if guard:
                    tracebacks_and_exit_after(self._seconds * _BLOCKED)
                time.sleep(self._every)
                self.look(time.monotonic())
            except KafkaException as error:
                log.debug("the broker tells no ends now: %s", error)
            except Exception as error:
                log.exception("the watchdog failed")
                self._end(ConsumerStalled(f"the watchdog failed: {error!r}"))

    def look(self, now: float) -> None:
        """Compare with the look before, and end what has stood still for the bound."""
        watched = list(self._watched())
        ends = self._ends({place for each in watched for place in each.places()})
        elapsed = 0.0 if self._looked is None else now - self._looked
        # What passed while this thread did not run (a stopped process, a busy machine) is no time that anyone had.
        lost = max(elapsed - self._every - self._answer * 3, 0.0)
        self._looked = now
        seen, self._seen = self._seen, {}
        unknown = False
        for each in watched:
            before = seen.get(each.name)
            try:
                position, behind = each.look(self._admin, ends)
            except EndUnknown:
                unknown = True
                if before is not None:
                    self._seen[each.name] = _Seen(before.position, before.idle_since + elapsed)
                continue
            if before is None or behind is None or position != before.position:
                self._seen[each.name] = _Seen(position, now)
                continue
            before.idle_since += lost
            self._seen[each.name] = before
            if now - before.idle_since >= self._seconds:
                self._end(ConsumerStalled(f"{each.name}: no progress for {now - before.idle_since:.0f} s, {behind}"))
        if unknown:
            self._admin = admin_client(self._broker)  # a client can be deaf itself

    def _ends(self, places: set[Place]) -> Offsets:
        """The committed ends that the broker tells; what is missing is not known."""
        if not places:
            return {}
        wanted = {TopicPartition(topic, number): OffsetSpec.latest() for topic, number in places}
        futures = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._answer
        )
        ends: dict[Place, int] = {}
        for at, future in futures.items():
            try:
                ends[at.topic, at.partition] = future.result().offset
            except KafkaException as error:
                log.debug("end of %s[%d]: %s", at.topic, at.partition, error)
        return ends


def tracebacks_and_exit_after(seconds: float) -> None:
    """End the process (1) then, which needs no lock of Python's. A later call takes the place of this one."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=STDERR)


def missed(read_to: Offsets, ends: Offsets) -> str | None:
    """What is committed and not read, None where nothing is. Raises EndUnknown."""
    if read_to.keys() - ends.keys():
        raise EndUnknown
    behind = [f"{t}[{n}]: {at} of {ends[t, n]}" for (t, n), at in read_to.items() if ends[t, n] > at]
    return f"more is committed than was read: {', '.join(behind)}" if behind else None
