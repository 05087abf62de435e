"""What one event costs settle, and what a master change costs, by the size of the engagement.

    python -m benchmarks.event_cost

The settle agent's own `decide` over a RocksDB store, without a broker: a plain time entry in an engagement that holds
100 and 100,000 entries (the ratio should be near 1), and a cap and a retainer put on an engagement of 10,000.
"""

import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from agents import settle
from schemas.codec import encode
from schemas.json_codec import from_json
from streaming.batch import Batch, Record
from streaming.state import State
from streaming.store import Store
from tables.settlement.masters_snapshot import TOPIC, MastersTable
from tables.settlement.resettle import CURSOR, Cursor

EVENTS = 1_000
STAMP = {"source": "benchmark", "revision": 1, "occurred_at": "2024-01-01T00:00:00.000Z"}
FIRST_DAY = date(2020, 1, 1)
CONSULTANTS = 250


def engagement(revision: int = 1, **changes: object) -> dict[str, object]:
    """A plain engagement in US dollars."""
    return {
        "engagement_id": "E", "client_id": "CL", "name": "Engagement", "status": "active", "starts_on": "2020-01-01",
        "currency": "USD", "legal_entity": "LE", "seller_country": "US", "seller_tax_jurisdiction": "US",
        "billing_method": "time_and_materials", "discount_percent": "0", "hours_per_day": "8", "day_rule": "prorata",
        "rounding": {"increment_minutes": 15, "mode": "up", "scope": "entry"}, "multipliers": {}, "milestones": [],
        "outcomes": [], "owner": "owner@example.com", **STAMP, "revision": revision, **changes,
    }  # fmt: skip


def masters() -> list[tuple[str, str, dict[str, object]]]:
    """(topic, id, value) of what a plain entry needs."""
    client = {
        "client_id": "CL", "name": "Client", "country": "US", "region": "AMER", "tax_jurisdiction": "US",
        "currency": "USD", "payment_terms_days": 30, **STAMP,
    }  # fmt: skip
    task = {"task_id": "T", "engagement_id": "E", "code": "T", "name": "Task", "billable": True, **STAMP}
    line = {"line_id": "1", "unit": "hour", "amount": "100", "valid_from": "2015-01-01"}
    card = {"rate_card_id": "RC", "name": "Card", "currency": "USD", "is_firm_default": True, "lines": [line], **STAMP}
    tax = {
        "tax_rule_id": "US", "jurisdiction": "US", "category": "O", "rate": "0", "valid_from": "2015-01-01", **STAMP,
    }  # fmt: skip
    people = [
        (
            "master.consultants",
            f"C{n}",
            {"consultant_id": f"C{n}", "name": "-", "region": "AMER", "grades": [], **STAMP},
        )
        for n in range(CONSULTANTS)
    ]
    return [
        ("master.clients", "CL", client),
        ("master.engagements", "E", engagement()),
        ("master.tasks", "T", task),
        ("master.rate-cards", "RC", card),
        ("master.tax-rules", "US", tax),
        *people,
    ]


def entry(n: int) -> Record:
    """The n-th time entry: one a consultant and day."""
    day = FIRST_DAY + timedelta(days=n // CONSULTANTS)
    value = {
        "entry_id": f"t{n}", "engagement_id": "E", "task_id": "T", "consultant_id": f"C{n % CONSULTANTS}",
        "work_date": day.isoformat(), "minutes": 60 + n % 400, "billable": True, "status": "approved", **STAMP,
    }  # fmt: skip
    return Record("time.entries", 0, n, n, b"E", encode("time.entries", from_json("time.entries", value)), ())


class Bench:
    """Settle on one partition."""

    def __init__(self, folder: Path) -> None:
        self.store, self.masters, self._memory = Store(folder), MastersTable("unused"), settle.Memory()
        self._end = 0
        for topic, id_, value in masters():
            self.master(topic, id_, value)

    def master(self, topic: str, id_: str, value: dict[str, object]) -> None:
        """A record of `masters.current`."""
        lookups = (("lookups", b'["engagement:E"]'),) if topic == "master.engagements" else ()
        wire = encode(topic, from_json(topic, value))
        self.masters.apply(
            [Record(TOPIC, 0, self._end, self._end, f"{topic}:{id_}".encode(), wire, lookups)], self._end + 1
        )
        self._end += 1

    def settle(self, records: list[Record]) -> int:
        """One batch, written to the store; returns how many records it would publish."""
        state = State(self.store)
        outputs = settle.decide(self.masters.snapshot, self._memory, Batch(0, 0, {}, {}, records), state)
        self.store.write(state.changes, None)
        return len(outputs)

    def fill(self, count: int) -> None:
        """Entries 0 to `count`, in batches."""
        for start in range(0, count, 5_000):
            self.settle([entry(n) for n in range(start, min(start + 5_000, count))])

    def sweep(self) -> tuple[float, int]:
        """CPU seconds and publications until every changed master is applied."""
        began, published = time.process_time(), 0
        while (CURSOR.get(State(self.store)) or Cursor()).applied < self.masters.snapshot().end:
            published += self.settle([])
        return time.process_time() - began, published


def cost_of_an_event(size: int) -> float:
    """Median CPU microseconds of a batch of one plain entry, in an engagement of `size`."""
    with tempfile.TemporaryDirectory() as folder:
        bench, costs = Bench(Path(folder) / "store"), []
        bench.fill(size)
        for n in range(size, size + EVENTS):
            record = entry(n)
            began = time.process_time_ns()
            bench.settle([record])
            costs.append((time.process_time_ns() - began) / 1000)
    return statistics.median(costs)


def cost_of_a_change(size: int, **changes: object) -> tuple[float, int]:
    """(CPU seconds, publications) of a new revision of the engagement."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "store")
        bench.fill(size)
        bench.master("master.engagements", "E", engagement(2, **changes))
        return bench.sweep()


def main() -> None:
    """Print the figures."""
    small, large = cost_of_an_event(100), cost_of_an_event(100_000)
    print(f"one event at 100 entries     {small:8.0f} us CPU")
    print(f"one event at 100,000 entries {large:8.0f} us CPU   ratio {large / small:.2f}")
    cap = {"cap": {"amount": "500000", "policy": "park"}}
    retainer = {
        "billing_method": "retainer",
        "retainer": {"included_minutes": 6000, "monthly_fee": "1000", "rollover_months": 2},
    }
    for name, change in (("cap", cap), ("retainer", retainer)):
        seconds, published = cost_of_a_change(10_000, **change)
        print(f"{name} put on 10,000 entries: {seconds:.2f} s CPU, {published} records published")


if __name__ == "__main__":
    main()
