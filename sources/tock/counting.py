"""Counts the input from the JSON file alone, for the side of the demo's table that is independent of this project.

It shares no code with the mapping, on purpose.
"""

import json
import lzma
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path


@dataclass(frozen=True)
class LinesCounted:
    """Tock's lines, and their hours in whole minutes, half up, a line.

    `rounded` lines are no whole number of minutes; `rounding_minutes` is what rounding them added (below 0: took away).
    """

    lines: int
    hours: Decimal
    minutes: int
    rounded: int
    rounding_minutes: Decimal


def count_lines(data: Path) -> LinesCounted:
    """Count the lines of a compressed data file."""
    with lzma.open(data) as file:
        hours = [
            Decimal(row["fields"]["hours_spent"]) for row in json.load(file) if row["model"] == "hours.timecardobject"
        ]
    exact = [spent * 60 for spent in hours]
    whole = [int(minutes.quantize(Decimal(1), ROUND_HALF_UP)) for minutes in exact]
    total = sum(hours, Decimal(0))
    return LinesCounted(
        lines=len(hours),
        hours=total,
        minutes=sum(whole),
        rounded=sum(minutes != kept for minutes, kept in zip(exact, whole, strict=True)),
        rounding_minutes=sum(whole) - total * 60,
    )
