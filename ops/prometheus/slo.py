"""Service levels and how fast their error budgets burn: the multi-window alerts of Google's SRE workbook.

An alert needs both of its windows beyond the factor: the long one says that it matters, the short one that it lasts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
# (factor, long, short, severity): 2 % of a month's budget within an hour, 5 % within six, 10 % within a day and three
BURNS = (
    (14.4, "1h", "5m", "page"),
    (6.0, "6h", "30m", "page"),
    (3.0, "1d", "2h", "ticket"),
    (1.0, "3d", "6h", "ticket"),
)
Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Objective:
    """A service level: `bad` and `all` are queries over a window `{w}`; `bad` by `all` may be 1 - `target` at most."""

    name: str
    alert: str
    target: float
    bad: str
    all: str
    summary: str
    description: str

    def recorded(self) -> Iterator[Rule]:
        """The share of bad events, per window; none without any events."""
        for window in WINDOWS:
            bad, whole = self.bad.replace("{w}", window), self.all.replace("{w}", window)
            yield {"record": self.series(window), "expr": f"{bad} / ({whole} > 0)"}

    def alerts(self) -> Iterator[Rule]:
        """One a pair of windows."""
        budget = 1 - self.target
        for factor, long, short, severity in BURNS:
            limit = f"{factor * budget:.6g}"
            yield {
                "alert": self.alert,
                "expr": f"{self.series(long)} > {limit} and {self.series(short)} > {limit}",
                "labels": {"severity": severity, "long_window": long, "short_window": short},
                "annotations": {
                    "summary": self.summary,
                    "description": f"{self.description} In the last {long} the error budget of {budget:.3g} was spent "
                    f"more than {factor:g} times as fast as it lasts: {{{{ $value | humanizePercentage }}}} was bad.",
                },
            }

    def series(self, window: str) -> str:
        """The recorded series of a window."""
        return f"hourstream:{self.name}_error:ratio_{window}"
