"""Polls a target for the status of invoices and announces it on `source.billing.statuses`.

It has a thread of its own and sends one request at a time, so deliveries do not wait. If it is killed, the poll in
progress is not recorded, and the next poll finds the same results.
"""

import logging
import random
import threading
from collections.abc import Callable

from common.errors import SinkFenced, Unreachable
from common.fault_injection import fault_point
from common.isolation import ISOLATED
from sinks.delivery.poll_state import Begun, PollState
from sinks.delivery.rate_limit import CallPolicy, pause_of_looks
from sinks.delivery.status_source import StatusSource
from sinks.delivery.target import TargetUnavailable
from storage.isolated_write import passes_on
from storage.postgres import Pool

log = logging.getLogger("hourstream.statuses")
_LONGEST_WAIT = 5.0  # seconds until the table is read again: another process may have polled, or a pause have ended


class StatusPoller:
    """Looks at one target every `every` seconds, as long as `run` runs, in as many processes as like."""

    def __init__(
        self,
        source: StatusSource,
        pool: Pool,
        policy: CallPolicy,
        every: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._source, self._policy, self._every, self._chance = source, policy, every, chance
        self._looks = PollState(pool, source.name)
        self._closing = threading.Event()

    def close(self) -> None:
        """Let `run` return once the poll in progress is recorded."""
        self._closing.set()

    def run(self) -> None:
        """Look until `close`; a database that is down is waited for."""
        while not self._closing.is_set():
            try:
                begun = self._looks.begin(self._every)
                wait = begun if isinstance(begun, float) else self._look(begun)
            except Unreachable as error:
                log.warning("%s: looking again in a second: %s", self._source.name, error)
                wait = 1.0
            self._closing.wait(min(wait, _LONGEST_WAIT))

    def _look(self, begun: Begun) -> float:
        """Poll once; returns the seconds until the table is read again."""
        name = self._source.name
        try:
            look = self._source.look(begun.cursor)
        except TargetUnavailable as error:
            return self._failed(begun, str(error), error.retry_after)
        except Exception as error:  # an unexpected answer counts as no answer: deliveries must go on
            log.exception("%s answered with what its adapter cannot read", name)
            return self._failed(begun, f"{type(error).__name__}: {error}", None)
        if look.events:
            fault_point(f"{name}:looked")
        try:
            self._looks.record(begun, look, self._every)
        except SinkFenced as error:
            log.info("%s", error)
        except Exception as error:  # the database cannot store the answer: it counts as no answer
            if passes_on(error):
                raise
            ISOLATED.log(f"{name}: its report of invoice statuses", error)
            return self._failed(begun, f"{type(error).__name__}: {error}", None)
        return 0.0 if look.more else self._every

    def _failed(self, begun: Begun, why: str, retry_after: float | None) -> float:
        failures = begun.failures + 1
        pause = pause_of_looks(self._policy, failures, self._chance(), retry_after)
        log.warning("%s does not report the status of invoices, next poll in %.1f s: %s", self._source.name, pause, why)
        self._looks.fail(begun, why, pause, failures >= self._policy.breaker_failures)
        return pause
