"""How fast and how often a target is asked: token bucket, backoff, circuit breaker. Pure: time and chance come in.

Times are seconds of any clock that only goes forward; chances are numbers in [0, 1).
"""

from dataclasses import dataclass
from typing import Literal

BreakerState = Literal["closed", "half_open", "open"]


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
        """The target answered a call, whichever: it is back."""
        self._failed = self._openings = 0
        self._until, self._probing = None, False

    def failed(self, now: float, probe: bool, chance: float) -> bool:
        """A call got no answer; whether that opened the breaker (anew).

        Calls that began before it opened and fail after that say nothing new.
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
