"""The cost of one event, and of a master change, in settle by the size of the engagement.

    python -m benchmarks.event_cost

`process_batch` of settle over a RocksDB store, without a broker: a plain time entry, and an outcome of one metric
and month, in an engagement that holds 100 and 100,000 of them (the ratio should be near 1), and a cap and a retainer
put on an engagement of 10,000. Time that terms couple is compared in the same way, in an engagement of 10,000.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

from agents import settle
from schemas.codec import encode
from schemas.json_codec import from_json
from streaming.batch import Batch, Record
from streaming.state import State
from streaming.store import Store
from tables.settlement.masters_snapshot import TOPIC, MastersTable
from tables.settlement.resettle import CURSOR, ResettleCursor

EVENTS = 1_000
STAMP = {"source": "benchmark", "revision": 1, "occurred_at": "2024-01-01T00:00:00.000Z"}
FIRST_DAY = date(2020, 1, 1)
CONSULTANTS = 250
TIERS = [{"up_to": "1000", "unit_price": "0.5", "flat_fee": "10"}, {"unit_price": "0.25", "flat_fee": "5"}]


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
    """(topic, id, value) of the masters of a plain entry."""
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
    """The n-th time entry: one per consultant and day."""
    day = FIRST_DAY + timedelta(days=n // CONSULTANTS)
    value = {
        "entry_id": f"t{n}", "engagement_id": "E", "task_id": "T", "consultant_id": f"C{n % CONSULTANTS}",
        "work_date": day.isoformat(), "minutes": 60 + n % 400, "billable": True, "status": "approved", **STAMP,
    }  # fmt: skip
    return Record("time.entries", 0, n, n, b"E", encode("time.entries", from_json("time.entries", value)), ())


def outcome(n: int) -> Record:
    """The n-th outcome of one metric and month, of days that come around."""
    value = {
        "outcome_id": f"o{n:07}", "engagement_id": "E", "metric": "calls", "quantity": f"{1 + n % 7}.5",
        "achieved_on": f"2020-03-{1 + n % 31:02}", "status": "approved", **STAMP,
    }  # fmt: skip
    return Record("outcomes", 0, n, n, b"E", encode("outcomes", from_json("outcomes", value)), ())


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
        outputs = settle.process_batch(self.masters.snapshot, self._memory, Batch(0, 0, {}, {}, records), state)
        self.store.write(state.changes, None)
        return len(outputs)

    def fill(self, count: int, fact: Callable[[int], Record] = entry) -> None:
        """Facts 0 to `count`, in batches."""
        for start in range(0, count, 2_000):
            self.settle([fact(n) for n in range(start, min(start + 2_000, count))])

    def sweep(self) -> tuple[float, int]:
        """CPU seconds and publications until every changed master is applied."""
        began, published = time.process_time(), 0
        while (CURSOR.get(State(self.store)) or ResettleCursor()).applied < self.masters.snapshot().end:
            published += self.settle([])
        return time.process_time() - began, published


def cost_of_an_event(
    size: int, fact: Callable[[int], Record] = entry, events: int = EVENTS, **contract: object
) -> tuple[float, float]:
    """A batch of one fact, in an engagement of `size`: its median CPU microseconds, its published records."""
    with tempfile.TemporaryDirectory() as folder:
        bench, costs, published = Bench(Path(folder) / "store"), list[float](), 0
        bench.master("master.engagements", "E", engagement(2, **contract))
        bench.fill(size, fact)
        for n in range(size, size + events):
            record = fact(n)
            began = time.process_time_ns()
            published += bench.settle([record])
            costs.append((time.process_time_ns() - began) / 1000)
    return statistics.median(costs), published / events


def cost_of_a_change(size: int, **changes: object) -> tuple[float, int]:
    """(CPU seconds, publications) of a new revision of the engagement."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "store")
        bench.fill(size)
        bench.master("master.engagements", "E", engagement(2, **changes))
        return bench.sweep()


def compare(
    name: str,
    fact: Callable[[int], Record],
    contract: Mapping[str, object],
    events: int = EVENTS,
    large: int = 100_000,
) -> None:
    """Print the cost of one event beside 100 and beside many others."""
    few, _ = cost_of_an_event(100, fact, events, **contract)
    many, published = cost_of_an_event(large, fact, events, **contract)
    print(
        f"{name}: one event beside 100 others {few:.0f} us CPU, beside {large:,} {many:.0f} us: "
        f"ratio {many / few:.2f}, {published:.1f} records published"
    )


def main() -> None:
    """Print the figures."""
    compare("time", entry, {})
    for model, events in (("per_unit", EVENTS), ("graduated", EVENTS), ("volume", 20)):
        terms = {"outcomes": [{"metric": "calls", "model": model, "tiers": TIERS}]}
        compare(f"{model} outcome", outcome, terms, events)
    cap: dict[str, object] = {"cap": {"amount": "500000", "policy": "park"}}
    retainer: dict[str, object] = {
        "billing_method": "retainer",
        "retainer": {"included_minutes": 6000, "monthly_fee": "1000", "rollover_months": 2},
    }
    coupled: dict[str, dict[str, object]] = {
        "a cap": cap,
        "a cap on expenses too": {"cap": {"amount": "500000", "policy": "park", "scope": "time_and_expenses"}},
        "a retainer": retainer,
        "a retainer and a cap": retainer | cap,
        "a minimum": {"minimum": {"amount": "1000"}},
        "cumulative amounts": {"amount_rounding": "cumulative"},
        "all of them": retainer | cap | {"minimum": {"amount": "1000"}, "amount_rounding": "cumulative"},
    }
    for name, contract in coupled.items():
        compare(f"time with {name}", entry, contract, large=10_000)
    for name, change in (("cap", cap), ("retainer", retainer)):
        seconds, published = cost_of_a_change(10_000, **change)
        print(f"{name} put on 10,000 entries: {seconds:.2f} s CPU, {published} records published")


if __name__ == "__main__":
    main()
