"""The load: seeded masters and entries, and what must come out of them.

The expected amounts are worked out here with decimals over the plain lists, not with the job's own code.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

from benchmarks.enrichment.contract import encode_entry

PROJECTS, OWN_RATES = 2_000, 1_500  # projects, and how many of them have rates of their own
OWN_PERIODS, CATEGORIES, CATEGORY_PERIODS = 10, 250, 20  # 1,500 x 10 + 250 x 20 = 20,000 rates
CONSULTANTS, TEAM = 250, 5  # and how many of them work on a project; each has one labor category
FIRST_DAY, DAYS = date(2020, 1, 1), 1_800
REPEATED = 0.05
_EPOCH = date(1970, 1, 1)
_SINCE = datetime(2020, 1, 1, 18, tzinfo=UTC)
_CENT = Decimal("0.01")


class RateRow(NamedTuple):
    """One dated rate."""

    selector: str  # project or labor_category
    id: str
    valid_from: date
    valid_to: date
    units: int  # ten-thousandths an hour


class Entry(NamedTuple):
    """One entry before it is encoded."""

    entry_id: str
    project: int
    consultant: int
    work_date: date
    minutes: int
    category: int
    note: str | None


@dataclass
class Expected:
    """The expected output: distinct ids, and the sum of their amounts."""

    records: int = 0  # with repeats
    unique: int = 0
    total: Decimal = Decimal(0)

    def __add__(self, other: "Expected") -> "Expected":
        return Expected(self.records + other.records, self.unique + other.unique, self.total + other.total)


@dataclass
class Backlog:
    """Framed records in order, with their keys, and the expected output."""

    records: list[tuple[bytes, bytes]] = field(default_factory=list)
    expected: Expected = field(default_factory=Expected)


def project_id(number: int) -> str:
    """`P-00042`."""
    return f"P-{number:05d}"


def category_id(number: int) -> str:
    """`CAT-007`."""
    return f"CAT-{number:03d}"


def consultant_id(number: int) -> str:
    """`C-0042`."""
    return f"C-{number:04d}"


def rate_rows(seed: int) -> list[RateRow]:
    """20,000 dated rates, without gaps over the days of the entries."""
    draw = random.Random(seed)  # noqa: S311 - a repeatable load, no secret
    rows: list[RateRow] = []
    for number in range(OWN_RATES):
        rows += _periods(draw, "project", project_id(number), OWN_PERIODS)
    for number in range(CATEGORIES):
        rows += _periods(draw, "labor_category", category_id(number), CATEGORY_PERIODS)
    return rows


def _periods(draw: random.Random, selector: str, id_: str, count: int) -> Iterator[RateRow]:
    days = DAYS // count
    for number in range(count):
        start = FIRST_DAY + timedelta(days=number * days)
        yield RateRow(selector, id_, start, start + timedelta(days=days), draw.randrange(400_000, 4_000_000))


def write_masters(path: Path, seed: int) -> None:
    """The file of `benchmarks.enrichment.masters`."""
    lines = [
        f"P,{project_id(n)},CL-{n % 300:03d},LE-{n % 3},{('USD', 'EUR', 'GBP')[n % 3]},CC-{n % 40:02d}"
        for n in range(PROJECTS)
    ]
    for row in rate_rows(seed):
        start, end = (row.valid_from - _EPOCH).days, (row.valid_to - _EPOCH).days
        lines.append(f"R,{row.selector},{row.id},{start},{end},{row.units}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Generator:
    """Entries one after the other; a twentieth of the records repeats an earlier one, bytes and all."""

    def __init__(self, seed: int, encode: Callable[[Entry], tuple[bytes, bytes]] | None = None) -> None:
        self._draw = random.Random(seed + 1)  # noqa: S311 - a repeatable load, no secret
        self._encode = encode or encoded
        self._per_project = [0] * PROJECTS
        self._sent: list[tuple[bytes, bytes]] = []
        self._rates: dict[tuple[str, str], list[RateRow]] = {}
        for row in rate_rows(seed):
            self._rates.setdefault((row.selector, row.id), []).append(row)

    def backlog(self, records: int, repeated: float = REPEATED) -> Backlog:
        """The next `records` records; repeats may be of any record so far."""
        backlog = Backlog()
        total = 0
        for _ in range(records):
            if self._sent and self._draw.random() < repeated:
                backlog.records.append(self._draw.choice(self._sent))
                continue
            entry = self._entry(len(self._sent))
            record = self._encode(entry)
            self._sent.append(record)
            backlog.records.append(record)
            backlog.expected.unique += 1
            total += self._cents(entry)
        backlog.expected.records = records
        backlog.expected.total = Decimal(total) * _CENT
        return backlog

    def _entry(self, number: int) -> Entry:
        draw = self._draw
        project = draw.randrange(PROJECTS)
        k = self._per_project[project]
        self._per_project[project] = k + 1
        # Each member of a project's team has one entry a day, and days advance for all projects alike.
        day = FIRST_DAY + timedelta(days=k // TEAM % DAYS)
        consultant = (project * 7 + k % TEAM) % CONSULTANTS
        note = f"Work on item {draw.randrange(100_000)}, reviewed with the team" if draw.random() < 0.7 else None
        return Entry(f"t-{number:09d}", project, consultant, day, draw.randrange(5, 481), consultant % CATEGORIES, note)

    def _cents(self, entry: Entry) -> int:
        own = self._rates.get(("project", project_id(entry.project)))
        rows = own or self._rates["labor_category", category_id(entry.category)]
        row = next(row for row in rows if row.valid_from <= entry.work_date < row.valid_to)
        return int((Decimal(row.units * entry.minutes) / Decimal(6000)).quantize(Decimal(1), ROUND_HALF_UP))


def encoded(entry: Entry) -> tuple[bytes, bytes]:
    """(key, framed value) of an entry."""
    project = project_id(entry.project)
    value: dict[str, object] = {
        "entry_id": entry.entry_id,
        "project_id": project,
        "task_id": f"T-{entry.project:05d}",
        "consultant_id": consultant_id(entry.consultant),
        "work_date": entry.work_date,
        "minutes": entry.minutes,
        "labor_category": category_id(entry.category),
        "billable": True,
        "status": "approved",
        "approved_by": "lead@example.com" if entry.minutes % 2 else None,
        "note": entry.note,
        "source": "bench",
        "occurred_at": _SINCE + (entry.work_date - FIRST_DAY),
    }
    return project.encode(), encode_entry(value)
