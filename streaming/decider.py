"""Processes a batch in memory: a record that cannot be processed becomes a dead letter, the rest continues.

    decided = Decider("settle", make_decide).decide(batch, store)

A rule may keep memory beside the state, which a failure leaves in an unknown condition: the rule is made anew then.
"""

import heapq
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from common.isolation import ISOLATED, divide
from streaming.batch import Batch, Output, Record
from streaming.dead_letters import dead_letter, explained
from streaming.isolation import is_environment
from streaming.state import Rows, State

log = logging.getLogger("hourstream.plane")
Decide = Callable[[Batch, State], Iterable[Output]]
_REST_SECONDS = 60.0  # a due step that failed is tried again after so long
_OVERHEAD = 256  # bytes of a record beside key, value and headers

ROWS = ""
"""The place of the state's rows among `Limits`."""
Limits = Mapping[str, int]
"""By topic: the size in bytes that an output, or a row of the state (`ROWS`), must not reach."""


class TooLarge(ValueError):
    """What a record leads to is more than the broker takes in one record."""


@dataclass(slots=True)
class BatchDecision:
    """What a batch comes to: records to publish, rows to write, and which of its records were set aside."""

    outputs: list[Output] = field(default_factory=list)
    changes: dict[bytes, bytes | None] = field(default_factory=dict)
    set_aside: list[Record] = field(default_factory=list)


class _Overlay:
    """Rows with the changes of a part of a batch that is decided already; for the next part to stand on."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.changes: dict[bytes, bytes | None] = {}

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        asked = [key for key in keys if key not in self.changes]
        found = dict(zip(asked, self._rows.get_many(asked), strict=True)) if asked else {}
        return [self.changes[key] if key in self.changes else found[key] for key in keys]

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        mine: list[tuple[bytes, bytes | None]] = sorted(
            (key, row) for key, row in self.changes.items() if key.startswith(prefix) and key >= start
        )
        theirs = (each for each in self._rows.scan(prefix, start) if each[0] not in self.changes)
        for key, row in heapq.merge(mine, theirs, key=itemgetter(0)):
            if row is not None:
                yield key, row


class Decider:
    """Decides the batches of one partition by a rule."""

    def __init__(
        self,
        agent: str,
        make: Callable[[], Decide],
        note: Callable[[State, Sequence[Record]], None] = lambda _state, _records: None,
    ) -> None:
        """`make` makes the rule, `note` counts records that were set aside in the state."""
        self._agent, self._make, self._note = agent, make, note
        self._decide = make()
        self._due_again = 0.0  # when a due step that failed may be tried again (monotonic)

    @property
    def due_rests(self) -> bool:
        """Whether work that no record brings has failed a moment ago."""
        return time.monotonic() < self._due_again

    def decide(self, batch: Batch, rows: Rows, limits: Limits | None = None) -> BatchDecision:
        """The batch as a whole if it can be; else divided. With `limits`, also where a result is too large.

        Raises faults of the environment only.
        """
        if limits is None:
            try:
                return self._whole(replace(batch, due=False) if self.due_rests else batch, rows)
            except Exception as error:
                self._judge(error, f"partition {batch.partition}, a batch of {len(batch.records)} records")
        return self._divided(batch, rows, limits or {})

    def _whole(self, batch: Batch, rows: Rows) -> BatchDecision:
        state = State(rows)
        return BatchDecision(list(self._decide(batch, state)), state.changes)

    def _divided(self, batch: Batch, rows: Rows, limits: Limits) -> BatchDecision:
        known, decided = _Overlay(rows), BatchDecision()

        def attempt(records: Sequence[Record], due: bool = False) -> None:
            try:
                found = self._whole(replace(batch, records=records, due=due, behind=0), known)
                _hold(found, limits)
            except Exception as error:
                self._judge(error, f"partition {batch.partition}, {len(records)} records")
                raise
            known.changes.update(found.changes)
            decided.outputs += found.outputs

        def refuse(record: Record, error: Exception) -> None:
            decided.set_aside.append(record)
            decided.outputs.append(dead_letter(record, explained(error), self._agent))

        if batch.due and not self.due_rests:
            self._due(batch, attempt)
        divide(batch.records, attempt, refuse, is_environment)
        if decided.set_aside:
            state = State(known)
            self._note(state, decided.set_aside)
            known.changes.update(state.changes)
        decided.changes = known.changes
        return decided

    def _due(self, batch: Batch, attempt: Callable[[Sequence[Record], bool], None]) -> None:
        """Work that no record brings, by itself. Where it fails no record is to blame: it rests for a while."""
        try:
            attempt((), True)
        except Exception as error:
            if is_environment(error):
                raise
            self._due_again = time.monotonic() + _REST_SECONDS
            ISOLATED.count("due")
            log.error("%s[%d]: due work failed, tried again in %g s", self._agent, batch.partition, _REST_SECONDS)

    def _judge(self, error: Exception, what: str) -> None:
        """Pass a fault of the environment on; of any other, log the traceback once and make the rule anew."""
        if is_environment(error):
            raise error
        ISOLATED.log(f"{self._agent}: {what}", error)
        self._decide = self._make()


def _hold(decided: BatchDecision, limits: Limits) -> None:
    for output in decided.outputs if limits else ():
        size = size_of(output.key, output.value, output.headers)
        if size >= limits.get(output.topic, size + 1):
            raise TooLarge(f"a record of {size:,} bytes for {output.topic}, which the broker refuses")
    for key, value in decided.changes.items() if ROWS in limits else ():
        size = size_of(key, value)
        if size >= limits[ROWS]:
            raise TooLarge(f"a row of {size:,} bytes of the state, which the broker refuses")


def size_of(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = ()) -> int:
    """The size of a record at the broker without compression, in bytes; a little more than it is."""
    told = sum(len(name) + len(content or b"") + 10 for name, content in headers)
    return len(key or b"") + len(value or b"") + told + _OVERHEAD
