"""Revenue at the close of months: after any history the balances tie to the ledger, and a second run posts nothing."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.revenue_recognition import (
    DEFERRED,
    REVENUE,
    UNBILLED,
    Balances,
    Booked,
    EntryLine,
    balances,
    entry,
    standing,
)
from rating.model.master_data import Engagement
from rating.model.master_records import master
from schemas.json_codec import from_json
from tests.unit.tables.contents import engagement, line

MONTHS = [f"2024-{month:02}" for month in range(1, 7)]
KINDS = ("time", "fee", "milestone", "expense", "adjustment")


def contract(name: str = "E1", **changed: object) -> Engagement:
    """A contract of the test world."""
    content = line(engagement(name, **changed))
    found = master(content["topic"], from_json(content["topic"], content["value"]))
    assert isinstance(found, Engagement)
    return found


RETAINER = contract("E3", starts_on="2024-01-15", ends_on="2024-04-13")  # 90 days in four months, 500.00 each
STAGES = [{"milestone_id": "1", "name": "a", "amount": "900"}, {"milestone_id": "2", "name": "b", "amount": "100.01"}]
FIXED = contract("E4", milestones=STAGES)
CONTRACTS = [contract("E1"), RETAINER, contract("E3"), FIXED, None]


@dataclass
class Ledger:
    """One account of a journal: what is charged by month, and the entries of closes."""

    amounts: dict[str, dict[str, Decimal]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))
    minutes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    milestones: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    entries: dict[str, list[EntryLine]] = field(default_factory=lambda: defaultdict(list))
    runs: set[str] = field(default_factory=set)

    def booked(self) -> dict[str, Booked]:
        return {
            month: Booked(dict(by_kind), self.minutes[month], dict(self.milestones[month]))
            for month, by_kind in self.amounts.items()
        }

    def close(self, terms: Engagement | None, planned: int | None, period: str) -> list[EntryLine]:
        """As the journal closes: this month, and again the later ones that were closed."""
        posted = []
        for month in sorted({period, *(run for run in self.runs if run > period)}):
            before = standing(one for m, lines in self.entries.items() if m <= month for one in lines)
            lines = entry(before, balances(terms, planned, self.booked(), month))
            self.entries[month] += lines
            posted += lines
        self.runs.add(period)
        return posted

    def holds(self, period: str) -> dict[str, Decimal]:
        """Debit less credit of each account up to a month, charges among them."""
        sums = defaultdict[str, Decimal](Decimal)
        for month, lines in self.entries.items():
            for one in lines if month <= period else ():
                sums[one.account] += one.debit - one.credit
        sums["1210"] = sum((a for m, by in self.amounts.items() if m <= period for a in by.values()), Decimal(0))
        sums[REVENUE] -= sums["1210"]
        return sums


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What happens one after the other: charges and reversals of any month, changed terms and plans, closes."""
    month, cents = st.sampled_from(MONTHS), st.integers(-30_000, 90_000)
    one = st.one_of(
        st.tuples(st.just("charge"), st.tuples(month, st.sampled_from(KINDS), cents, st.integers(-120, 600))),
        st.tuples(st.just("milestone"), st.tuples(month, st.sampled_from(["1", "2"]), st.sampled_from([1, -1]))),
        st.tuples(st.just("terms"), st.sampled_from(CONTRACTS)),
        st.tuples(st.just("plan"), st.sampled_from([None, 60, 1000])),
        st.tuples(st.just("close"), month),
        st.tuples(st.just("close"), month),
    )
    return draw(st.lists(one, max_size=25))


@settings(max_examples=300, deadline=None)
@given(steps())
def test_after_any_history_the_balances_tie_to_the_ledger(history: list[tuple[str, Any]]) -> None:
    ledger = Ledger()
    terms: Engagement | None = RETAINER
    planned: int | None = None
    for what, said in history:
        if what == "charge":
            month, kind, cents, minutes = said
            ledger.amounts[month][kind] += Decimal(cents) / 100
            ledger.minutes[month] += minutes if kind == "time" else 0
        elif what == "milestone":
            month, name, by = said
            ledger.milestones[month][name] += by
            ledger.amounts[month]["milestone"] += by * Decimal(100)
        elif what == "terms":
            terms = said
        elif what == "plan":
            planned = said
        else:
            lines = ledger.close(terms, planned, said)
            assert sum(one.debit - one.credit for one in lines) == 0
            assert all(min(one.debit, one.credit) == 0 < max(one.debit, one.credit) for one in lines)
            assert ledger.close(terms, planned, said) == []
            for month in sorted(run for run in ledger.runs if run >= said):
                held, due = ledger.holds(month), balances(terms, planned, ledger.booked(), month)
                assert (-held[DEFERRED], held[UNBILLED]) == (due.deferred, due.unbilled)
                assert min(due.deferred, due.unbilled) == 0 <= max(due.deferred, due.unbilled)
                # deferred + revenue = what is charged + what is earned beyond it
                assert -held[DEFERRED] - held[REVENUE] == held["1210"] + held[UNBILLED]
                assert sum(held.values()) == 0


def months(amounts: dict[str, str], kind: str, **more: Any) -> dict[str, Booked]:  # noqa: ANN401 - of a Booked
    return {month: Booked({kind: Decimal(amount)}, **more) for month, amount in amounts.items()}


def test_a_retainer_is_earned_straight_over_the_days_of_its_contract() -> None:
    booked = months(dict.fromkeys(MONTHS[:4], "500.00"), "fee")
    at = [balances(RETAINER, None, booked, month) for month in MONTHS[:5]]
    # 17, 46, 77, 90 and 90 of 90 days of 2000.00, against 500, 1000, 1500, 2000 and 2000 charged
    assert [b.adjustment for b in at] == [Decimal("-122.22"), Decimal("22.22"), Decimal("211.11"), 0, 0]
    assert at[0] == Balances(deferred=Decimal("122.22"))
    assert at[1] == Balances(unbilled=Decimal("22.22"))


def test_a_fee_that_is_not_charged_yet_is_unbilled_when_it_is_earned() -> None:
    assert balances(RETAINER, None, {}, "2024-06") == Balances(unbilled=Decimal("2000.00"))
    assert balances(RETAINER, None, {}, "2023-12") == Balances()


def test_a_retainer_without_a_last_day_earns_each_month_its_fee() -> None:
    assert balances(contract("E3"), None, months({"2024-01": "500.00"}, "fee"), "2024-01") == Balances()


def test_a_subscription_is_earned_as_a_retainer_is() -> None:
    terms = {"billing_method": "subscription", "subscription": {"monthly_fee": "310"}, "retainer": None}
    year = contract("E3", starts_on="2024-01-01", ends_on="2024-12-31", **terms)
    booked = months({"2024-01": "310.00"}, "fee")
    assert balances(year, None, booked, "2024-01").adjustment == Decimal("5.08")  # 31 of 366 days of 3720


@pytest.mark.parametrize(
    ("minutes", "done", "earned"),
    [(0, {}, "0"), (250, {}, "250.00"), (999, {}, "999.01"), (5000, {}, "1000.01"), (250, {"1": 1, "2": 1}, "1000.01")],
)
def test_a_planned_fixed_fee_is_earned_by_the_share_of_its_minutes(
    minutes: int, done: dict[str, int], earned: str
) -> None:
    booked = {"2024-01": Booked({"milestone": Decimal("900.00"), "expense": Decimal(7)}, minutes, done)}
    found = balances(FIXED, 1000, booked, "2024-01")
    assert found.adjustment == Decimal(earned) - 900
    assert balances(FIXED, None, booked, "2024-01") == Balances()  # by milestone: what is charged


def test_a_milestone_taken_back_is_not_completed() -> None:
    booked = {
        "2024-01": Booked({"milestone": Decimal("1000.01")}, 250, {"1": 1, "2": 1}),
        "2024-02": Booked({"milestone": Decimal("-100.01")}, 0, {"2": -1}),
    }
    assert balances(FIXED, 1000, booked, "2024-01") == Balances()
    assert balances(FIXED, 1000, booked, "2024-02") == Balances(deferred=Decimal("650.00"))


def test_time_and_what_else_is_performed_is_earned_as_it_is_charged() -> None:
    assert balances(contract("E1"), 1000, months({"2024-01": "77.77"}, "time"), "2024-01") == Balances()
    assert balances(None, None, months({"2024-01": "77.77"}, "fee"), "2024-01") == Balances()


def test_an_entry_moves_between_three_accounts() -> None:
    deferred, unbilled = Balances(deferred=Decimal(30)), Balances(unbilled=Decimal(12))
    assert [(one.account, one.debit, one.credit) for one in entry(deferred, unbilled)] == [
        (UNBILLED, 12, 0),
        (DEFERRED, 30, 0),
        (REVENUE, 0, 42),
    ]
    assert entry(deferred, replace(deferred)) == ()
    assert standing(entry(Balances(), deferred)) == deferred


def test_the_share_is_exact_and_rounded_once() -> None:
    three_days = contract("E3", starts_on="2024-01-30", ends_on="2024-02-01")  # in two months of 500.00
    assert balances(three_days, None, {}, "2024-01").unbilled == Decimal("666.67")
    assert balances(three_days, None, {}, "2024-02").unbilled == Decimal("1000.00")
