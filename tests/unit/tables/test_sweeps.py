"""Changed masters settle again those who looked there, and no others; in chunks that a crash may part (DESIGN §3)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from rating.model.charge import Settlement
from rating.steps import Steps
from schemas.codec import decode_for
from streaming.state import State
from tables.settlement import masters_snapshot, resettle
from tables.settlement.bucket_store import LOOKED
from tables.settlement.engine import SettledBucket, Settling
from tests.unit.tables.contents import (
    MASTERS,
    amount,
    consultant,
    engagement,
    entry,
    line,
    numbered,
    rate_card,
    task,
    tax_rule,
)
from tests.unit.tables.stream import Line, Stream


def hours(engagement_id: str, count: int) -> list[Line]:
    """An hour each on so many days, every one a scope of its own on plain time and materials."""
    return [line(entry(engagement_id, str(n), work_date=f"2024-01-{n + 1:02}")) for n in range(count)]


def standing(chunk: int = 20_000) -> Stream:
    """Masters, ten hours on E1 and five on each of the others, settled and at rest."""
    stream = Stream(chunk)
    stream.deliver(numbered(MASTERS))
    stream.deliver([*hours("E1", 10), *hours("E2", 5), *hours("E3", 5), *hours("E4", 5)])
    stream.rest()
    return stream


def published_by(stream: Stream, *lines: Line) -> Counter[str]:
    """Charges and reversals by engagement that come of these lines."""
    before = len(stream.said("billing.ready"))
    stream.deliver(lines)
    stream.rest()
    return Counter(record["engagement_id"] for record in stream.said("billing.ready")[before:])


def test_a_sweep_is_cut_into_chunks_and_resumed_after_a_crash_between_any_two() -> None:
    whole, cut = standing(), standing(chunk=3)
    dearer = line(rate_card("100.01", "900"), revision=2)
    whole.deliver([dearer])
    whole.rest()
    cut.deliver([dearer])
    seen = []
    while not cut.is_at_rest():
        seen.append((cut.cursor().engagement, cut.cursor().bucket))
        cut.restart()
        cut.settle([])
    assert len(seen) >= 3
    assert len(set(seen)) == len(seen)  # every chunk goes further
    assert cut.books.ledger() == whole.books.ledger() == list(whole.books.expected())
    assert len(cut.said("billing.ready")) == len(whole.said("billing.ready"))  # nothing was settled twice in effect


def test_a_chunk_that_was_not_committed_is_settled_again_alike() -> None:
    stream = standing(chunk=4)
    stream.deliver([line(rate_card("50"), revision=2)])
    told = len(stream.outputs)
    _, lost = stream.process([])  # and the worker died before its commit
    stream.restart()
    stream.settle([])
    assert stream.outputs[told:] == lost != []


def test_facts_and_further_changes_may_arrive_in_the_middle_of_a_sweep() -> None:
    stream = standing(chunk=2)
    stream.deliver([line(rate_card("50"), revision=2)])
    assert not stream.is_at_rest()
    stream.deliver([line(entry("E1", "1", 90), revision=2), line(rate_card("75"), revision=3)])
    stream.deliver([line(entry("E1", "late", 30))])
    stream.rest()
    assert stream.books.ledger() == list(stream.books.expected())
    assert {record["rate"] for record in stream.books.charges["E1", "time:late"]} == {75}


def test_a_retroactive_rate_settles_again_only_those_who_looked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = standing()
    settled = set[str]()
    changes = Settling._changes

    def noted(self: Settling, found: Sequence[SettledBucket], now_ms: int) -> object:
        settled.update(bucket.engagement_id for bucket, _ in found)
        return changes(self, found, now_ms)

    monkeypatch.setattr(Settling, "_changes", noted)
    published = published_by(stream, line(rate_card("100.01", "900"), revision=2))
    assert settled == {"E1", "E2", "E3"}  # E4's fee is fixed: it never looked for a rate
    # A reversal and a charge each: E2's cap leaves three of its hours a charge, and covered hours carry their rate too.
    assert published == {"E1": 20, "E2": 6, "E3": 10}


def settled_by(stream: Stream, monkeypatch: pytest.MonkeyPatch, *lines: Line) -> list[str]:
    """The buckets that these lines settle, by name."""
    settled, changes = list[str](), Settling._changes

    def noted(self: Settling, found: Sequence[SettledBucket], now_ms: int) -> object:
        settled.extend(bucket.name for bucket, _ in found)
        return changes(self, found, now_ms)

    with monkeypatch.context() as patched:
        patched.setattr(Settling, "_changes", noted)
        stream.deliver(lines)
        stream.rest()
    assert stream.books.ledger() == list(stream.books.expected())
    return sorted(settled)


COUPLED = {
    "E1": {},
    "E2": {"cap": {"amount": "950", "policy": "park"}},
    "E3": {"cap": {"amount": "950", "policy": "park"}, "amount_rounding": "cumulative", "minimum": {"amount": "2000"}},
}


def of_two(engagement_id: str, chunk: int = 20_000) -> Stream:
    """Ten days of C1 and C2, and an adjustment of an amount."""
    stream = Stream(chunk)
    stream.deliver(numbered([*MASTERS, rate_card("100"), task(engagement_id, 2)]))
    stream.deliver([line(engagement(engagement_id, **COUPLED[engagement_id]), 2), line(amount(engagement_id, "a"))])
    for n in range(1, 11):
        of_c2 = {"consultant_id": "C2", "task_id": f"{engagement_id}-T{1 + n % 2}"}
        day = f"2024-01-{n:02}"
        stream.deliver([
            line(entry(engagement_id, f"{n}", 60, day)),
            line(entry(engagement_id, f"{n}b", 60, day, **of_c2)),
        ])  # fmt: skip
    stream.rest()
    return stream


@pytest.mark.parametrize("engagement_id", COUPLED)
def test_a_grade_settles_the_time_of_its_consultant(engagement_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settled = settled_by(of_two(engagement_id), monkeypatch, line(consultant("C2", "Junior"), 2))
    assert settled == [f"day:C2:2024-01-{n:02}" for n in range(1, 11)]


@pytest.mark.parametrize("engagement_id", COUPLED)
def test_a_task_settles_its_time(engagement_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = line(task(engagement_id, 2, labor_category="Junior"), 2)
    assert settled_by(of_two(engagement_id), monkeypatch, changed) == [
        f"day:C2:2024-01-{n:02}" for n in (1, 3, 5, 7, 9)
    ]


@pytest.mark.parametrize("most_bytes", [0, 32 << 10])
def test_a_task_settles_time_of_large_buckets_too(most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = of_two("E1")
    stream.most_bytes = most_bytes
    stream.deliver([line(entry("E1", "more", 60, "2024-01-05", consultant_id="C2"))])
    settled = settled_by(stream, monkeypatch, line(task("E1", 2, billable=False), 2))
    assert settled == [f"day:C2:2024-01-{n:02}" for n in (1, 3, 5, 7, 9)]


@pytest.mark.parametrize("engagement_id", ["E2", "E3"])
def test_a_raised_cap_settles_what_it_lets_through(engagement_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = of_two(engagement_id)
    told = len(stream.outputs)
    cap = COUPLED[engagement_id] | {"cap": {"amount": "1250", "policy": "park"}}
    settled = settled_by(stream, monkeypatch, line(engagement(engagement_id, **cap), 3))
    published = {decode_for(output.topic, output.value or b"")["subject"] for output in stream.outputs[told:]}
    days = {f"day:C{2 if one.endswith('b') else 1}:2024-01-{int(one.strip('time:b')):02}" for one in published}
    assert {name for name in settled if name.startswith("day:")} == days
    assert len(days) == 4


def test_a_change_that_alters_no_charge_publishes_nothing() -> None:
    stream = standing()
    told = len(stream.outputs)
    stream.deliver([{**each, "value": {**each["value"], "revision": 2}} for each in numbered(MASTERS)])
    stream.deliver([line(engagement("E1", owner="other@example.com"), revision=3)])
    stream.deliver([line(entry("E1", "1", work_date="2024-01-02", note="said more"), revision=2)])
    stream.rest()
    assert stream.outputs[told:] == []


def test_a_corrected_charge_is_reversed_once_and_nets_to_the_new_one() -> None:
    stream = Stream()
    stream.deliver([*numbered(MASTERS), line(entry("E1", "1", labor_category="Junior"))])
    for revision, minutes in ((2, 90), (3, 0)):
        stream.deliver([line(entry("E1", "1", minutes, labor_category="Junior"), revision)])
    first, undone, second, undone_again, third = stream.said("billing.ready")
    assert (undone["reverses"], undone_again["reverses"]) == (first["charge_id"], second["charge_id"])
    assert [r["amount"] for r in (first, undone, second)] == [first["amount"], -first["amount"], second["amount"]]
    assert (undone["worked_minutes"], second["worked_minutes"], third["worked_minutes"]) == (-60, 90, 0)
    assert undone_again["amount"] == -second["amount"]


def test_a_master_that_touched_too_many_look_ups_settles_everybody_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masters_snapshot, "MOST_LOOKUPS", 3)
    stream = standing()
    for revision, jurisdiction in enumerate(("FR", "US", "GB", "DE"), 2):
        stream.deliver([line(tax_rule("25", jurisdiction=jurisdiction), revision)])
        stream.rest()
        assert stream.books.ledger() == list(stream.books.expected())
    touched = [lookups for _, _, lookups in stream.masters.snapshot().changed]
    assert {"*"} in touched
    assert max(map(len, touched)) <= 3


def test_looks_are_kept_where_nothing_was_found_too() -> None:
    stream = Stream()
    stream.deliver([line(entry("E-NONE", "1"))])
    looked = {parts for parts, _ in LOOKED.scan(State(stream.settle_rows))}
    assert ("engagement:E-NONE", "E-NONE") in looked


def _dearer(settlement: Settlement) -> Settlement:
    charge = settlement.charge
    return settlement if charge is None else replace(settlement, charge=replace(charge, amount=charge.amount + 1))


def test_new_rules_settle_everything_again_once_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = standing(chunk=3)
    told = len(stream.outputs)
    monkeypatch.setattr(resettle, "RULES_VERSION", "next")
    assert not stream.is_at_rest()
    stream.settle([])
    stream.restart()
    stream.rest()
    assert stream.outputs[told:] == []  # the law is the same

    charge = Steps.charge

    def dearer(self: Steps, left: Sequence[Decimal] | None = None) -> dict[str, Settlement]:
        return {subject: _dearer(each) for subject, each in charge(self, left).items()}

    monkeypatch.setattr(resettle, "RULES_VERSION", "after next")
    monkeypatch.setattr(Steps, "charge", dearer)
    charges = [r for r in stream.said("billing.ready") if r["reverses"] is None]
    stream.rest()
    said = stream.said("billing.ready")[len(charges) :]
    assert len(said) == 2 * len(charges) > 40
    assert sum(r["amount"] for r in said) == len(charges)
    before = len(stream.outputs)
    stream.settle([])
    assert len(stream.outputs) == before
