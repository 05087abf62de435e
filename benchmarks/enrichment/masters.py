"""Projects and dated rates in memory, read from the file that the harness writes for every contender.

A line is `P,project,client,legal entity,currency,cost center` or `R,selector,id,from,to,rate`: selector `project` or
`labor_category`, days as numbers since 1970, the rate in ten-thousandths.
"""

import csv
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

_EPOCH = date(1970, 1, 1).toordinal()


class Project(NamedTuple):
    """The fields that a project adds to its entries."""

    client_id: str
    legal_entity: str
    currency: str
    cost_center: str


class Rate(NamedTuple):
    """A price an hour, from `valid_from` until before `valid_to`."""

    valid_from: date
    valid_to: date
    units: int  # ten-thousandths
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Dated:
    """The rates of one selector in order of their days."""

    starts: list[date]
    rates: list[Rate]

    def on(self, day: date) -> Rate | None:
        """The rate of that day."""
        at = bisect_right(self.starts, day) - 1
        if at < 0:
            return None
        rate = self.rates[at]
        return rate if day < rate.valid_to else None


@dataclass(frozen=True, slots=True)
class Masters:
    """Everything an entry is joined with."""

    projects: dict[str, Project]
    by_project: dict[str, Dated]
    by_labor_category: dict[str, Dated]

    @classmethod
    def read(cls, path: Path) -> "Masters":
        """The file's masters; ValueError for a line of another kind."""
        projects: dict[str, Project] = {}
        rates: dict[str, dict[str, list[Rate]]] = {"project": {}, "labor_category": {}}
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.reader(file):
                if line[0] == "P":
                    projects[line[1]] = Project(*line[2:])
                elif line[0] == "R":
                    rates[line[1]].setdefault(line[2], []).append(_rate(line))
                else:
                    raise ValueError(f"no master: {line}")
        return cls(projects, _dated(rates["project"]), _dated(rates["labor_category"]))


def _rate(line: list[str]) -> Rate:
    start, end, units = (int(text) for text in line[3:])
    return Rate(date.fromordinal(_EPOCH + start), date.fromordinal(_EPOCH + end), units, Decimal(units).scaleb(-4))


def _dated(rates: dict[str, list[Rate]]) -> dict[str, Dated]:
    ordered = {key: sorted(each) for key, each in rates.items()}
    return {key: Dated([rate.valid_from for rate in each], each) for key, each in ordered.items()}
