"""Pace of the calls of a target: token bucket, backoff, circuit breaker. Pure: time and chance are parameters.

tenacity and pybreaker were rejected: both read the clock themselves and wrap one call that sleeps in its thread. Here a
row of a table waits, and a target's `Retry-After` holds all of its calls.

Times are seconds of any clock that only goes forward; chances are numbers in [0, 1).
"""

from dataclasses import dataclass
from threading import Lock
from typing import Literal

BreakerState = Literal["closed", "half_open", "open"]


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """The policy of a target's calls. Times in seconds."""

    per_second: float | None = None  # calls; None: as many as it answers
    burst: int = 1  # calls at once after a rest
    concurrency: int = 4  # calls at a time
    first_pause: float = 0.5  # the bound of the first backoff
    longest_pause: float = 60.0
    budget: float = 600.0  # time without success after which a charge becomes an exception
    breaker_failures: int = 5  # consecutive calls without an answer that open the breaker
    breaker_pause: float = 5.0
    longest_breaker_pause: float = 60.0
    longest_retry_after: float = 3600.0  # a longer pause requested by the target is cut to this


class TokenBucket:
    """At most `burst` + `per_second` x t calls in any t seconds.

    It starts empty, so that a process that is started again and again asks no faster than one that keeps running.
    """

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError(f"a rate of {per_second} a second with a burst of {burst} lets nothing through")
        self._per_second, self._burst = per_second, burst
        self._tokens, self._at = 0.0, now

    def wait(self, now: float) -> float:
        """Seconds until a call may begin, 0 where it may now."""
        return max(1.0 - self._held(now), 0.0) / self._per_second

    def take(self, now: float) -> None:
        """A call begins. Raises ValueError where `wait` is not over."""
        held = self._held(now)
        if held < 1.0 - 1e-9:  # a wait that was kept to the letter may fall short by a rounding
            raise ValueError(f"no call may begin for another {self.wait(now):.3f} s")
        self._tokens, self._at = max(held - 1.0, 0.0), now

    def _held(self, now: float) -> float:
        return min(self._tokens + (now - self._at) * self._per_second, float(self._burst))


def backoff(failures: int, first: float, longest: float, chance: float) -> float:
    """Seconds to wait after so many failures in a row: anything up to a bound that doubles ("full jitter")."""
    return chance * min(first * 2.0 ** min(max(failures - 1, 0), 62), longest)


def pause_of_looks(policy: CallPolicy, failures: int, chance: float, retry_after: float | None) -> float:
    """Seconds until a single caller, with one call at a time, calls again after so many consecutive failures.

    Up to the failures that open a breaker this is the backoff, after that the breaker's pauses; a pause that the target
    requests is kept in either case.
    """
    over = failures - policy.breaker_failures
    if over < 0:
        pause = backoff(failures, policy.first_pause, policy.longest_pause, chance)
    else:
        pause = min(policy.breaker_pause * 2.0 ** min(over, 62), policy.longest_breaker_pause) * (0.5 + chance / 2)
    return max(pause, min(retry_after or 0.0, policy.longest_retry_after))


@dataclass(slots=True)
class Breaker:
    """Stops calls to a target that does not answer: open after `failures` in a row, then one probe after each pause.

    Pauses double from `first_pause` to `longest_pause` while probes fail. A target that refuses a charge has answered.
    """

    failures: int
    first_pause: float
    longest_pause: float
    _failed: int = 0  # failures in a row
    _openings: int = 0  # openings in a row
    _until: float | None = None  # when the pause ends; None while closed
    _probing: bool = False

    def state(self, now: float) -> BreakerState:
        """Half-open: the pause is over, a probe may begin or is on its way."""
        if self._until is None:
            return "closed"
        return "half_open" if self._probing or now >= self._until else "open"

    def wait(self, now: float) -> float | None:
        """Seconds until a call may begin; None while the answer to a probe is awaited."""
        if self._until is None:
            return 0.0
        return None if self._probing else max(self._until - now, 0.0)

    def begin(self, now: float) -> bool:
        """A call begins; whether it is the probe. Raises ValueError where `wait` is not over."""
        if self.wait(now) != 0.0:
            raise ValueError("the breaker is open")
        self._probing = self._until is not None
        return self._probing

    def succeeded(self) -> None:
        """Note an answer of the target, of any kind: it is available again."""
        self._failed = self._openings = 0
        self._until, self._probing = None, False

    def failed(self, now: float, probe: bool, chance: float) -> bool:
        """Note a call without an answer; returns whether that opened the breaker (again).

        Calls that began before it opened and fail after that change nothing.
        """
        self._failed += 1
        if probe and self._probing:
            self._probing = False
        elif self._until is not None or self._failed < self.failures:
            return False
        pause = min(self.first_pause * 2.0 ** min(self._openings, 62), self.longest_pause)
        self._until = now + pause * (0.5 + chance / 2)
        self._openings += 1
        return True

    def open(self, now: float, chance: float) -> None:
        """No call for the longest pause, whatever failed before."""
        self._probing = False
        self._openings += 1
        self._until = now + self.longest_pause * (0.5 + chance / 2)


class CallGate:
    """The start of the next call to a target: its rate, its breaker, and the pause it requested.

    Its methods may be called from several threads.
    """

    def __init__(self, policy: CallPolicy, now: float, paused_for: float = 0.0) -> None:
        self._bucket = None if policy.per_second is None else TokenBucket(policy.per_second, policy.burst, now)
        self._breaker = Breaker(policy.breaker_failures, policy.breaker_pause, policy.longest_breaker_pause)
        self._longest_retry_after = policy.longest_retry_after
        self._paused_until = now + paused_for
        self._lock = Lock()

    def wait(self, now: float) -> float | None:
        """Seconds until a call may begin; None while the answer to a probe is awaited."""
        with self._lock:
            breaker = self._breaker.wait(now)
            if breaker is None:
                return None
            return max(breaker, self._paused_until - now, self._bucket.wait(now) if self._bucket else 0.0, 0.0)

    def probing(self, now: float) -> bool:
        """Whether the next call is a probe."""
        with self._lock:
            return self._breaker.state(now) != "closed"

    def begin(self, now: float) -> bool:
        """A call begins; whether it is a probe. Raises ValueError where `wait` is not over."""
        with self._lock:
            if self._bucket is not None:
                self._bucket.take(now)
            return self._breaker.begin(now)

    def succeeded(self, now: float) -> bool:
        """A call was answered; whether that closed the breaker."""
        with self._lock:
            shut = self._breaker.state(now) != "closed"
            self._breaker.succeeded()
            return shut

    def failed(self, now: float, probe: bool, chance: float, retry_after: float | None) -> "Backoff":
        """Note a call without an answer, and its effect on the next ones."""
        with self._lock:
            if retry_after is not None:
                self._paused_until = max(self._paused_until, now + min(retry_after, self._longest_retry_after))
            opened = self._breaker.failed(now, probe, chance)
            return Backoff(max(self._paused_until - now, 0.0), self._breaker.wait(now) if opened else None)

    def stopped(self, now: float, chance: float) -> "Backoff":
        """Note an answer whose cause only a person can repair."""
        with self._lock:
            self._breaker.open(now, chance)
            return Backoff(max(self._paused_until - now, 0.0), self._breaker.wait(now))


@dataclass(frozen=True, slots=True)
class Backoff:
    """For how many seconds no call may begin: because the target asked for it (0: it did not), and because the breaker
    has opened now (None: it has not)."""

    asked: float
    open_for: float | None
