"""How long charges take from step to step: histograms with bounded labels, in the agent's own state.

Two of each: one that only grows, by region, for rates over any time; and one by minute of the append time, as
`tables.windows` keeps them, of what happened in the last 1, 5 and 60 minutes.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping

from tables.windows import SPANS, Tally

MINUTE, HOUR, DAY = 60, 3600, 86_400
BOUNDS = (1, 10, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 60 * DAY, 90 * DAY)
STEPS = ("decided_to_posted", "posted_to_invoiced", "invoiced_to_paid", "decided_to_paid")
_WINDOW = "cycle"


def count_cycle(tally: Tally, step: str, region: str, ms: int, now_ms: int) -> None:
    """One charge has taken `ms` milliseconds for `step`; `now_ms` is the append time of what completed it."""
    bucket = str(bisect_left(BOUNDS, ms / 1000))
    tally.add(1, "cycle", step, region, bucket)
    tally.add(ms, "cycle_ms", step, region)
    tally.count(f"{_WINDOW} {step} {bucket}", now_ms)


def is_cycle(outcome: str) -> bool:
    """Whether an outcome of `tables.windows` is a bucket of a histogram."""
    return outcome.startswith(_WINDOW + " ")


def cumulative(counts: Mapping[int, int]) -> list[tuple[str, int]]:
    """[(upper bound in seconds, how many took at most that)], `+Inf` last, from counts by number of the bucket."""
    found, total = list[tuple[str, int]](), 0
    for number, bound in enumerate((*BOUNDS, None)):
        total += counts.get(number, 0)
        found.append(("+Inf" if bound is None else f"{float(bound)}", total))
    return found


def histograms(totals: Mapping[tuple[str, ...], int]) -> Iterator[tuple[str, str, list[tuple[str, int]], float]]:
    """(step, region, cumulative buckets, sum in seconds) of the running totals."""
    # By the counts: a step that took no time at all has no sum.
    for step, region in sorted({(labels[1], labels[2]) for labels in totals if labels[0] == "cycle"}):
        counts = {n: totals.get(("cycle", step, region, str(n)), 0) for n in range(len(BOUNDS) + 1)}
        yield step, region, cumulative(counts), totals.get(("cycle_ms", step, region), 0) / 1000


def in_windows(counts: Mapping[tuple[int, str], int]) -> Iterator[tuple[str, int, list[tuple[str, int]]]]:
    """(step, span in minutes, cumulative buckets) of the last minutes."""
    for step in STEPS:
        for span in SPANS:
            of_step = {n: counts.get((span, f"{_WINDOW} {step} {n}"), 0) for n in range(len(BOUNDS) + 1)}
            yield step, span, cumulative(of_step)
