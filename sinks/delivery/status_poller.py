"""What asks a target, again and again, what became of its invoices, and has it announced on `source.billing.statuses`.

It has a thread of its own and asks one thing at a time, so deliveries wait for nothing of it. Killed at any moment,
nothing was recorded of the look under way, and the next one finds the same again.
"""

import logging
import random
import threading
from collections.abc import Callable

from common.errors import Fenced, Unreachable
from common.fault_injection import fault_point
from common.isolation import ISOLATED
from sinks.delivery.poll_state import Begun, Looks
from sinks.delivery.rate_limit import Policy, pause_of_looks
from sinks.delivery.status_source import StatusSource
from sinks.delivery.target import TargetUnavailable
from storage.isolated_write import passes_on
from storage.postgres import Pool

log = logging.getLogger("hourstream.statuses")
_LONGEST_WAIT = 5.0  # seconds until the table is asked again: another process may have looked, or a pause have ended


class StatusWatch:
    """Looks at one target every `every` seconds, as long as `run` runs, in as many processes as like."""

    def __init__(
        self,
        source: StatusSource,
        pool: Pool,
        policy: Policy,
        every: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._source, self._policy, self._every, self._chance = source, policy, every, chance
        self._looks = Looks(pool, source.name)
        self._closing = threading.Event()

    def close(self) -> None:
        """Have `run` return once the look under way is recorded."""
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
        """One look; the seconds until the table is worth asking again."""
        name = self._source.name
        try:
            look = self._source.look(begun.cursor)
        except TargetUnavailable as error:
            return self._failed(begun, str(error), error.retry_after)
        except Exception as error:  # an answer that nobody foresaw is told of like none: deliveries must go on
            log.exception("%s answered with what its adapter cannot read", name)
            return self._failed(begun, f"{type(error).__name__}: {error}", None)
        if look.events:
            fault_point(f"{name}:looked")
        try:
            self._looks.record(begun, look, self._every)
        except Fenced as error:
            log.info("%s", error)
        except Exception as error:  # the database cannot hold what it told: as if it had told nothing
            if passes_on(error):
                raise
            ISOLATED.log(f"{name}: what it told of its invoices", error)
            return self._failed(begun, f"{type(error).__name__}: {error}", None)
        return 0.0 if look.more else self._every

    def _failed(self, begun: Begun, why: str, retry_after: float | None) -> float:
        failures = begun.failures + 1
        pause = pause_of_looks(self._policy, failures, self._chance(), retry_after)
        log.warning(
            "%s does not tell what became of invoices, asked again in %.1f s: %s", self._source.name, pause, why
        )
        self._looks.fail(begun, why, pause, failures >= self._policy.breaker_failures)
        return pause
