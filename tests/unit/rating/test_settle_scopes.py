"""Settling a coupling scope alone yields what settling the engagement does, in whatever order its facts come."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from billing_contracts import (
    CLIENT,
    CONSULTANT,
    ENGAGEMENT,
    MONDAY,
    TASK,
    TAX_RULE,
    adjustment,
    calendar,
    card,
    decision,
    entry,
    expense,
    fx,
    line,
    milestone,
    minutes_of,
    only,
    outcome,
    period,
    tiers,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.model.facts import Decision, Fact, each, gathered, subject_of
from rating.model.master_data import (
    Cap,
    Engagement,
    MilestoneTerms,
    Minimum,
    Multipliers,
    OutcomeTerms,
    Retainer,
    Rounding,
)
from rating.model.masters import Masters
from rating.scope import Coupling, by_scope, coupling_of, names, own_scope, scope_of
from rating.settle import settle
from tables.settlement.bucket_store import own_bucket, own_scope_of
from tables.settlement.coupled_groups import scope_of_bucket

_DAYS = st.integers(0, 6).map(lambda days: date(2024, 1, 30) + timedelta(days))
_IDS = st.integers(0, 7).map(str)
_STATUSES = st.sampled_from(["approved"] * 6 + ["submitted", "withdrawn"])
_SUBJECTS = st.builds(
    lambda kind, one: f"{kind}:{one}", st.sampled_from(["time", "outcome", "adjustment", "expense"]), _IDS
)


def _masters(contract: Engagement) -> Masters:
    return only(
        contract,
        CLIENT,
        CONSULTANT,
        replace(CONSULTANT, consultant_id="C2", grades=()),
        TASK,
        replace(TASK, task_id="T2", closed_on=date(2024, 2, 2)),
        replace(TASK, task_id="T3", billable=False),
        TAX_RULE,
        calendar(date(2024, 2, 1)),
        card(
            line("1", "100.01"),
            line("2", "801.005", "day", task_id="T1", labor_category="Engineer"),
            line("3", "640", "day", labor_category="Junior"),
        ),
        fx("EUR", "USD", "1.1", MONDAY),
    )


_CONTRACTS = st.builds(
    lambda method, retainer, cap, rounding, day_rule, multipliers, ends_on: replace(
        ENGAGEMENT,
        billing_method=method,
        starts_on=date(2024, 1, 15),
        ends_on=ends_on,
        retainer=retainer,
        cap=cap,
        rounding=rounding,
        day_rule=day_rule,
        multipliers=multipliers,
        holiday_calendar="CAL",
        discount_percent=Decimal("2.5"),
        milestones=(MilestoneTerms(milestone_id="1", name="Stage 1", amount=Decimal("1000.005")),),
        outcomes=(
            OutcomeTerms(metric="calls", model="volume", tiers=tiers(("10", "1.005", "3"), (None, "0.5", "0"))),
            OutcomeTerms(metric="users", model="graduated", tiers=tiers(("10", "2", "1"), (None, "1", "7"))),
        ),
    ),
    st.sampled_from(["time_and_materials"] * 3 + ["retainer", "retainer", "fixed_fee", "non_billable"]),
    st.none()
    | st.builds(
        lambda minutes, months: Retainer(included_minutes=minutes, monthly_fee=Decimal(500), rollover_months=months),
        st.sampled_from([0, 100, 700]),
        st.integers(0, 2),
    ),
    st.none()
    | st.builds(
        lambda amount, terms: Cap(amount=Decimal(amount), policy=terms),
        st.sampled_from([0, 300, 1500]),
        st.sampled_from(["park", "absorb"]),
    ),
    st.builds(
        lambda increment, mode, scope: Rounding(increment_minutes=increment, mode=mode, scope=scope),
        st.sampled_from([1, 6, 15]),
        st.sampled_from(["up", "nearest", "down"]),
        st.sampled_from(["entry", "person_day"]),
    ),
    st.sampled_from(["prorata", "half_day_steps"]),
    st.sampled_from(
        [
            Multipliers(),
            Multipliers(weekend=Decimal("1.5"), holiday=Decimal(2)),
            Multipliers(weekend=Decimal("1.25"), overtime_after_minutes=300, overtime=Decimal("1.75")),
        ]
    ),
    st.sampled_from([None, date(2024, 2, 4)]),
)

_TIME = st.builds(
    lambda one, minutes, day, consultant, task, labor, status: entry(
        one, minutes, work_date=day, consultant_id=consultant, task_id=task, labor_category=labor, status=status
    ),
    _IDS,
    st.sampled_from([0, 7, 47, 300, 500, 900, 1441]),
    _DAYS,
    st.sampled_from(["C1", "C1", "C1", "C2", "C-NONE"]),
    st.sampled_from(["T1", "T1", "T2", "T3", "T-NONE"]),
    st.sampled_from([None, "Junior"]),
    _STATUSES,
)
_OTHERS: list[st.SearchStrategy[Fact]] = [
    st.builds(
        lambda one, quantity, metric, day, status: outcome(
            one, quantity, metric=metric, achieved_on=day, status=status
        ),
        _IDS,
        st.sampled_from(["0", "3.5", "8", "40"]),
        st.sampled_from(["calls", "users", "none"]),
        _DAYS,
        _STATUSES,
    ),
    st.builds(
        lambda one, currency, day: expense("10.01", currency, expense_id=one, incurred_on=day),
        _IDS,
        st.sampled_from(["USD", "EUR", "JPY"]),
        _DAYS,
    ),
    st.builds(lambda one: milestone(one), _IDS),
    st.builds(
        lambda one, named, minutes, day, status: minutes_of(named, minutes, one, effective_on=day, status=status),
        _IDS,
        _IDS,
        st.sampled_from([0, 30, 480, 2000]),
        _DAYS,
        _STATUSES,
    ),
    st.builds(lambda one: adjustment(one, amount=Decimal("-3.335")), _IDS),
    st.builds(period, st.sampled_from(["2024-01", "2024-02", "2024-13"])),
    st.builds(decision, _SUBJECTS, st.sampled_from(["waive", "waive", "retry"]), st.integers(1, 2), _IDS),
]


@st.composite
def _histories(draw: st.DrawFn) -> list[Fact]:
    """Winning revisions: at most one fact an identity, mostly time."""
    facts = [*draw(st.lists(_TIME, max_size=8)), *draw(st.lists(st.one_of(*_OTHERS), max_size=8))]
    return list({(type(fact), _key(fact)): fact for fact in facts}.values())


def _key(fact: Fact) -> str:
    return fact.decision_id if isinstance(fact, Decision) else subject_of(fact)


@settings(max_examples=300, deadline=None)
@given(_CONTRACTS, _histories())
def test_a_scope_settles_alone_as_it_does_within_the_engagement(contract: Engagement, facts: list[Fact]) -> None:
    masters = _masters(contract)
    together = settle("E1", gathered(facts), masters)
    scopes, periods = by_scope(gathered(facts), contract), gathered(facts).periods
    apart = [settle("E1", of_scope, masters, periods) for of_scope in scopes.values()]
    assert sum(len(one.subjects) for one in apart) == len(together.subjects)
    assert {key: value for one in apart for key, value in one.subjects.items()} == together.subjects
    assert all(one.lookups <= together.lookups for one in apart)
    assert sum(sum(1 for _ in each(of_scope)) for of_scope in scopes.values()) == len(facts)


@settings(max_examples=300, deadline=None)
@given(_CONTRACTS, _histories())
def test_the_engine_groups_facts_by_these_scopes(contract: Engagement, facts: list[Fact]) -> None:
    """Buckets of the settle state, and the groups of buckets that it settles together, are the scopes proven above."""
    for fact in facts:
        if names(fact) is None and not isinstance(fact, Decision):
            bucket = own_bucket(fact)
            assert own_scope_of(bucket) == own_scope(fact)
            grouped = scope_of_bucket(bucket, coupling_of(contract)) or own_scope(fact)
            assert grouped == scope_of(fact, contract)


@settings(max_examples=150, deadline=None)
@given(_CONTRACTS, _histories(), st.randoms(use_true_random=False))
def test_the_order_of_facts_changes_nothing(contract: Engagement, facts: list[Fact], random: Random) -> None:
    masters = _masters(contract)
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert settle("E1", gathered(shuffled), masters) == settle("E1", gathered(facts), masters)


@settings(max_examples=150, deadline=None)
@given(_CONTRACTS, _histories())
def test_every_approved_minute_is_charged_parked_or_waived_once(contract: Engagement, facts: list[Fact]) -> None:
    """DOMAIN §5.1, of one engagement."""
    found = settle("E1", gathered(facts), _masters(contract)).subjects.values()
    recorded = sum(one.minutes for one in gathered(facts).time if one.status == "approved")
    charged = sum(one.charge.worked_minutes for one in found if one.charge)
    held = sum(one.parked.minutes for one in found if one.parked)
    assert charged + held == recorded


def test_what_the_terms_of_an_engagement_couple() -> None:
    terms = Retainer(included_minutes=60, monthly_fee=Decimal(1), rollover_months=0)
    cap, minimum = Cap(amount=Decimal(100), policy="park"), Minimum(amount=Decimal(100))
    with_expenses = replace(cap, scope="time_and_expenses")
    alone, life = Coupling(), Coupling(time=True)
    month = Coupling(time=True, by_month=True)
    for found, changes in (
        (alone, {}),
        (alone, {"retainer": terms}),
        (alone, {"billing_method": "retainer"}),
        (alone, {"billing_method": "fixed_fee", "cap": cap}),
        (alone, {"billing_method": "fixed_fee", "minimum": minimum, "amount_rounding": "cumulative"}),
        (alone, {"late_policy": "park"}),
        (life, {"billing_method": "retainer", "retainer": terms}),
        (life, {"cap": cap, "amount_rounding": "cumulative"}),
        (month, {"amount_rounding": "cumulative"}),
        (Coupling(time=True, periods=True, by_month=True), {"minimum": minimum}),
        (Coupling(time=True, periods=True), {"minimum": minimum, "cap": cap}),
        (Coupling(time=True, expenses=True), {"cap": with_expenses}),
        (Coupling(expenses=True), {"billing_method": "fixed_fee", "cap": with_expenses}),
    ):
        assert coupling_of(replace(ENGAGEMENT, **changes)) == found, changes  # type: ignore[arg-type]
    assert coupling_of(None) == alone
