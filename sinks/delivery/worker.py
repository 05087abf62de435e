"""Empties a target's queue: calls at the target's pace, records each answer, keeps the order of each engagement.

One thread schedules the calls; a few others wait for the target. If a target does not answer, its charges stay in the
queue: none is given up, no other target waits, and at most a window of the queue is in memory.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from common.errors import SinkFenced, Unreachable
from common.fault_injection import fault_point
from common.isolation import ISOLATED
from sinks.delivery.leader_lock import Leadership, leading
from sinks.delivery.prefetch import Prefetch
from sinks.delivery.rate_limit import CallGate, CallPolicy, backoff
from sinks.delivery.repository import DeliveryRepository
from sinks.delivery.scheduling import QueuedCharge, choose
from sinks.delivery.target import (
    DeliveryAnswer,
    GroupRefused,
    Target,
    TargetMisconfigured,
    TargetUnavailable,
    TargetUnclear,
)
from storage.isolated_write import UNKNOWN_TRIES
from storage.postgres import Pool
from streaming.dead_letters import explained

log = logging.getLogger("hourstream.delivery")
_LOOK = 0.1  # seconds between reads of the queue while no answer calls for one
_KEEP = 2.0  # seconds between signs of life


class DeliveryWorker:
    """Delivers to one target, as long as `run` runs; as many processes as like may try, one at a time does."""

    def __init__(
        self,
        target: Target,
        pool: Pool,
        policy: CallPolicy = CallPolicy(),  # noqa: B008 - it is frozen
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._target, self._pool, self._policy = target, pool, policy
        self._clock, self._chance = clock, chance
        self._closing = threading.Event()
        self._woken = threading.Event()

    def wake(self) -> None:
        """There is something new in the queue."""
        self._woken.set()

    def close(self) -> None:
        """Have `run` return once the calls on their way are recorded."""
        self._closing.set()
        self._woken.set()

    def run(self) -> None:
        """Deliver until `close`. Raises errors that an adapter must not raise; waits for a database that is down."""
        while not self._closing.is_set():
            try:
                with leading(self._pool, self._target.name, self._closing.wait) as lead:
                    if lead is not None:
                        self._deliver(lead)
            except (Unreachable, SinkFenced) as error:
                log.warning("%s: delivering again in a second: %s", self._target.name, error)
                self._closing.wait(1.0)

    def _deliver(self, lead: Leadership) -> None:
        records = DeliveryRepository(self._pool, self._target.name, lead.epoch)
        gate = CallGate(self._policy, self._clock(), lead.paused_for)
        term = _LeaderSession(self._target, records, gate, self._policy.concurrency)
        due = self._clock()  # when the next sign of life is
        with ThreadPoolExecutor(self._policy.concurrency, f"deliver-{self._target.name}") as callers:
            while not self._closing.is_set():
                self._woken.clear()
                term.settle()
                if (now := self._clock()) >= due:
                    lead.keep()
                    records.open_exceptions(self._policy.budget)
                    due = now + _KEEP
                wait = term.wait(now)
                if wait == 0.0 and (charges := term.choose(now)):
                    call = _Call(charges, gate.begin(now))
                    offer = callers.submit(self._offer, term, call)
                    term.calls[offer] = call
                    offer.add_done_callback(lambda _: self._woken.set())
                else:
                    self._woken.wait(min(wait or _LOOK, _LOOK))
        term.settle()

    def _offer(self, term: "_LeaderSession", call: "_Call") -> None:
        """One call of the target, and its outcome."""
        fault_point(f"{self._target.name}:offering")
        try:
            answers = self._target.deliver([row.charge for row in call.charges])
            if [answer.charge_id for answer in answers] != call.ids:
                raise RuntimeError(f"{self._target.name} must give one answer for each of {call.ids}, not {answers}")
        except TargetUnavailable as error:
            self._unanswered(term, call, error)
            return
        except GroupRefused as error:
            self._refused(term, call, error)
        except OSError as error:
            self._unanswered(term, call, TargetUnavailable(explained(error)))
            return
        except Exception as error:  # a defect of the adapter, met with one of these charges
            ISOLATED.log(f"{self._target.name}: {len(call.charges)} charges", error)
            self._unanswered(term, call, TargetUnclear(explained(error)))
            return
        else:
            fault_point(f"{self._target.name}:answered")
            self._answered(term, call, answers)
        if term.gate.succeeded(self._clock()):
            log.warning("%s answers again", self._target.name)
            term.records.closed()

    def _answered(self, term: "_LeaderSession", call: "_Call", answers: Sequence[DeliveryAnswer]) -> None:
        term.records.answered(answers, call.retried)
        term.window.answered({answer.charge_id: answer.result for answer in answers})

    def _refused(self, term: "_LeaderSession", call: "_Call", error: Exception) -> None:
        if len(call.charges) == 1:
            self._answered(term, call, [DeliveryAnswer(call.ids[0], "refused", reason=str(error))])
            return
        log.info("%s: %d charges are offered one by one: %s", self._target.name, len(call.charges), error)
        term.records.divided(call.ids)
        term.window.drop(call.engagements)

    def _unanswered(self, term: "_LeaderSession", call: "_Call", error: TargetUnavailable) -> None:
        failures = 1 + max(row.attempts for row in call.charges)
        if isinstance(error, TargetUnclear) and len(call.charges) == 1 and failures > UNKNOWN_TRIES:
            ISOLATED.count("record")
            self._refused(term, call, error)
            term.gate.succeeded(self._clock())  # it is the charge, so the next one may be offered
            return
        pause = backoff(failures, self._policy.first_pause, self._policy.longest_pause, self._chance())
        if isinstance(error, TargetMisconfigured):
            shut = term.gate.stopped(self._clock(), self._chance())
            log.error("%s is set up wrongly and is not called for %.0f s: %s", self._target.name, shut.open_for, error)
        else:
            shut = term.gate.failed(self._clock(), call.probe, self._chance(), error.retry_after)
        if shut.open_for is not None and not isinstance(error, TargetMisconfigured):
            log.warning("%s does not answer, probing it in %.1f s: %s", self._target.name, shut.open_for, error)
        term.records.unanswered(call.ids, str(error), pause, shut, call.retried)
        term.window.drop(call.engagements)


class _Call:
    """Charges on their way."""

    def __init__(self, charges: list[QueuedCharge], probe: bool) -> None:
        self.charges, self.probe = charges, probe

    @property
    def ids(self) -> list[str]:
        return [row.charge["charge_id"] for row in self.charges]

    @property
    def engagements(self) -> set[str]:
        return {row.engagement_id for row in self.charges}

    @property
    def retried(self) -> bool:
        return any(row.attempts for row in self.charges)


class _LeaderSession:
    """The state of a deliverer while it has the lead."""

    def __init__(self, target: Target, records: DeliveryRepository, gate: CallGate, concurrency: int) -> None:
        self.records, self.gate = records, gate
        self.window = Prefetch(records, target.largest_group)
        self.calls: dict[Future[None], _Call] = {}
        self._target, self._concurrency = target, concurrency
        self._look = float("-inf")  # when the queue may be read again

    def settle(self) -> None:
        """Forget finished calls. Raises the error that one of them raised."""
        for offer in [offer for offer in self.calls if offer.done()]:
            del self.calls[offer]
            self._look = float("-inf")  # its engagements may go on
            offer.result()

    def wait(self, now: float) -> float | None:
        """Seconds until a call may begin, None where an answer has to come first."""
        return None if len(self.calls) >= self._concurrency else self.gate.wait(now)

    def choose(self, now: float) -> list[QueuedCharge]:
        """The charges of the next call, taken out of the window."""
        busy = set[str]().union(*(call.engagements for call in self.calls.values()))
        probing = self.gate.probing(now)
        chosen = self._choose(busy, probing)
        if not chosen and now >= self._look:
            self._look = now + _LOOK
            self.window.fill(busy)
            chosen = self._choose(busy, probing)
        self.window.take(chosen)
        return chosen

    def _choose(self, busy: set[str], probing: bool) -> list[QueuedCharge]:
        return choose(self.window.rows(), busy, self._target.largest_group, self._target.group_of, probing)
