"""Small inputs that ended a worker once: `tests/data/robust`, and those that are made here because they are large."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from string import ascii_letters
from typing import Any

ROBUST = Path(__file__).parents[2] / "data" / "robust"
Line = dict[str, Any]
DAY = "2025-11-04"
ENTRY: dict[str, object] = {
    "engagement_id": "K91E", "task_id": "K91K", "consultant_id": "K91C", "work_date": DAY, "minutes": 60,
    "billable": True, "status": "approved", "approved_by": "boss", "source": "case", "revision": 1,
    "occurred_at": "2025-12-01T00:00:00.000Z",
}  # fmt: skip


def lines_of(case: str) -> list[Line]:
    """The records of a case's file."""
    return [json.loads(line) for line in (ROBUST / case / "facts.jsonl").read_text(encoding="utf-8").splitlines()]


def expected_of(case: str) -> dict[tuple[str, str], dict[str, str]]:
    """{(engagement, subject): its ledger line} of a case."""
    found = json.loads((ROBUST / case / "expected.json").read_text(encoding="utf-8"))["ledger"]
    return {tuple(where.split("|", 1)): line for where, line in found.items()}  # type: ignore[misc]


def entry(entry_id: str, **changes: object) -> Line:
    """A time entry of the case nul-in-an-id's engagement."""
    return {"topic": "time.entries", "key": "K91E", "value": {"entry_id": entry_id, **ENTRY, **changes}}


def notes() -> Iterator[Line]:
    """Three notes of 450,000 random letters on one person's day, and one that is in order."""
    random = Random(7)
    yield entry("noted", note="n" * 4_000)
    for n in range(3):
        yield entry(f"note-{n}", note="".join(random.choices(ascii_letters, k=450_000)))


def minutes() -> Iterator[Line]:
    """Two entries of -2^63, three of 2^63-1 and two of 2^62 minutes."""
    for n, count in enumerate([-(2**63)] * 2 + [2**63 - 1] * 3 + [2**62] * 2):
        yield entry(f"minutes-{n}", minutes=count)
