"""Small contracts, masters and facts to settle: sensible defaults, and each test names what it is about."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from rating.model.facts import (
    Adjustment,
    BillingPeriod,
    Decision,
    Expense,
    Fact,
    Milestone,
    Outcome,
    TimeEntry,
    gathered,
)
from rating.model.master_data import (
    Calendar,
    Client,
    Consultant,
    Engagement,
    ExpensePolicy,
    ExpenseRule,
    FxRate,
    Grade,
    Master,
    Multipliers,
    RateCard,
    RateLine,
    Rounding,
    Task,
    TaxRule,
    Tier,
)
from rating.model.masters import Masters
from rating.settle import Charge, Settlement, settle

NOW = datetime(2024, 1, 1, tzinfo=UTC)
MONDAY = date(2024, 1, 8)
SATURDAY = date(2024, 1, 13)
SUNDAY = date(2024, 1, 14)

ENGAGEMENT = Engagement(
    source="psa",
    revision=1,
    occurred_at=NOW,
    engagement_id="E1",
    client_id="CL1",
    name="Migration",
    status="active",
    starts_on=date(2015, 1, 1),
    currency="USD",
    legal_entity="LE1",
    seller_country="US",
    seller_tax_jurisdiction="US-NY",
    billing_method="time_and_materials",
    rate_card_id="RC-1",
    discount_percent=Decimal(0),
    rounding=Rounding(increment_minutes=1, mode="nearest", scope="entry"),
    hours_per_day=Decimal(8),
    day_rule="prorata",
    multipliers=Multipliers(),
    milestones=(),
    outcomes=(),
    owner="owner@example.com",
)
CLIENT = Client(
    source="crm",
    revision=1,
    occurred_at=NOW,
    client_id="CL1",
    name="Client",
    country="US",
    region="AMER",
    tax_jurisdiction="US-NY",
    currency="USD",
    payment_terms_days=30,
)
TASK = Task(
    source="psa",
    revision=1,
    occurred_at=NOW,
    task_id="T1",
    engagement_id="E1",
    code="T1",
    name="Build",
    billable=True,
)
CONSULTANT = Consultant(
    source="hr",
    revision=1,
    occurred_at=NOW,
    consultant_id="C1",
    name="Ada",
    region="AMER",
    grades=(Grade(valid_from=date(2015, 1, 1), labor_category="Engineer"),),
)
TAX_RULE = TaxRule(
    source="tax",
    revision=1,
    occurred_at=NOW,
    tax_rule_id="TX-NY",
    jurisdiction="US-NY",
    category="S",
    rate=Decimal("8.875"),
    valid_from=date(2000, 1, 1),
)
_ENTRY = TimeEntry(
    entry_id="t1",
    engagement_id="E1",
    task_id="T1",
    consultant_id="C1",
    work_date=MONDAY,
    minutes=60,
    billable=True,
    status="approved",
    source="tempo",
    revision=1,
    occurred_at=NOW,
)


def line(line_id: str = "1", amount: str = "100", unit: str = "hour", **more: object) -> RateLine:
    """A rate line, of any work and long valid unless said otherwise."""
    start = RateLine(line_id=line_id, unit=unit, amount=Decimal(amount), valid_from=date(2010, 1, 1))
    return replace(start, **more)  # type: ignore[arg-type]


def card(*lines: RateLine, rate_card_id: str = "RC-1", currency: str = "USD", firm: bool = False) -> RateCard:
    return RateCard(
        source="finance",
        revision=1,
        occurred_at=NOW,
        rate_card_id=rate_card_id,
        name=rate_card_id,
        currency=currency,
        is_firm_default=firm,
        lines=lines or (line(),),
    )


def policy(*rules: ExpenseRule) -> ExpensePolicy:
    return ExpensePolicy(source="finance", revision=1, occurred_at=NOW, expense_policy_id="POL", rules=rules)


def rule(category: str = "travel", markup: str = "0", **more: object) -> ExpenseRule:
    start = ExpenseRule(category=category, allowed=True, markup_percent=Decimal(markup))
    return replace(start, **more)  # type: ignore[arg-type]


def fx(base: str, quote: str, rate: str, day: date = MONDAY) -> FxRate:
    return FxRate(source="ecb", revision=1, occurred_at=NOW, base=base, quote=quote, date=day, rate=Decimal(rate))


def calendar(*holidays: date) -> Calendar:
    return Calendar(source="hr", revision=1, occurred_at=NOW, calendar_id="CAL", holidays=holidays)


def tax_rule(tax_rule_id: str, jurisdiction: str, rate: str, valid_from: date, valid_to: date | None = None) -> TaxRule:
    return replace(
        TAX_RULE,
        tax_rule_id=tax_rule_id,
        jurisdiction=jurisdiction,
        rate=Decimal(rate),
        valid_from=valid_from,
        valid_to=valid_to,
    )


def tiers(*steps: tuple[str | None, str, str]) -> tuple[Tier, ...]:
    """Tiers of (up_to, unit_price, flat_fee)."""
    return tuple(
        Tier(up_to=None if up_to is None else Decimal(up_to), unit_price=Decimal(price), flat_fee=Decimal(fee))
        for up_to, price, fee in steps
    )


def engagement(**changes: object) -> Engagement:
    return replace(ENGAGEMENT, **changes)  # type: ignore[arg-type]


def entry(entry_id: str = "t1", minutes: int = 60, **changes: object) -> TimeEntry:
    return replace(_ENTRY, entry_id=entry_id, minutes=minutes, **changes)  # type: ignore[arg-type]


def expense(amount: str = "100", currency: str = "USD", **changes: object) -> Expense:
    start = Expense(
        expense_id="x1",
        engagement_id="E1",
        consultant_id="C1",
        category="travel",
        incurred_on=MONDAY,
        amount=Decimal(amount),
        currency=currency,
        status="approved",
        source="expensify",
        revision=1,
        occurred_at=NOW,
    )
    return replace(start, **changes)  # type: ignore[arg-type]


def milestone(milestone_id: str = "m1", **changes: object) -> Milestone:
    start = Milestone(
        milestone_id=milestone_id,
        engagement_id="E1",
        status="completed",
        completed_on=MONDAY,
        source="psa",
        revision=1,
        occurred_at=NOW,
    )
    return replace(start, **changes)  # type: ignore[arg-type]


def outcome(outcome_id: str, quantity: str, **changes: object) -> Outcome:
    start = Outcome(
        outcome_id=outcome_id,
        engagement_id="E1",
        metric="calls",
        quantity=Decimal(quantity),
        achieved_on=MONDAY,
        status="approved",
        source="metering",
        revision=1,
        occurred_at=NOW,
    )
    return replace(start, **changes)  # type: ignore[arg-type]


def adjustment(adjustment_id: str = "a1", **changes: object) -> Adjustment:
    start = Adjustment(
        adjustment_id=adjustment_id,
        engagement_id="E1",
        kind="amount",
        reason="goodwill",
        effective_on=MONDAY,
        status="approved",
        source="finance",
        revision=1,
        occurred_at=NOW,
    )
    return replace(start, **changes)  # type: ignore[arg-type]


def minutes_of(entry_id: str, minutes: int, adjustment_id: str = "a1", **changes: object) -> Adjustment:
    """An adjustment that replaces the minutes of an entry."""
    return adjustment(adjustment_id, kind="minutes", subject=f"time:{entry_id}", minutes=minutes, **changes)


def period(month: str = "2024-01", **changes: object) -> BillingPeriod:
    start = BillingPeriod(
        engagement_id="E1", period=month, status="closed", source="finance", revision=1, occurred_at=NOW
    )
    return replace(start, **changes)  # type: ignore[arg-type]


def decision(subject: str, what: str = "waive", subject_revision: int = 1, decision_id: str = "d1") -> Decision:
    return Decision(
        decision_id=decision_id,
        engagement_id="E1",
        subject=subject,
        subject_revision=subject_revision,
        decision=what,
        reason="seen",
        by="boss",
        source="console",
        revision=1,
        occurred_at=NOW,
    )


def masters_of(*records: Master) -> Masters:
    """A snapshot with the default contract, in which the given records stand in place of those of the same id."""
    everything: tuple[Master, ...] = (ENGAGEMENT, CLIENT, TASK, CONSULTANT, card(), TAX_RULE, *records)
    return only(*everything)


def only(*records: Master) -> Masters:
    """A snapshot of nothing but the given records."""
    return Masters.empty().with_records(("", _id(record), record) for record in records)


def _id(record: Master) -> str:
    for name in (
        "task_id",
        "engagement_id",
        "client_id",
        "consultant_id",
        "rate_card_id",
        "expense_policy_id",
        "per_diem_id",
        "tax_rule_id",
        "calendar_id",
    ):
        if hasattr(record, name):
            return str(getattr(record, name))
    return ":".join(str(getattr(record, name, "")) for name in ("base", "quote", "date"))


def settled(masters: Masters, *facts: Fact) -> dict[str, Settlement]:
    return settle("E1", gathered(facts), masters).subjects


def charges(masters: Masters, *facts: Fact) -> dict[str, Charge]:
    """The charges by the id of their fact."""
    found = settled(masters, *facts).values()
    return {one.subject.partition(":")[2]: one.charge for one in found if one.charge is not None}


def amounts(masters: Masters, *facts: Fact) -> list[str]:
    """The amounts of the charges of the facts, in their order."""
    found = charges(masters, *facts)
    ids = [getattr(fact, name) for fact in facts for name in _ID_NAMES if hasattr(fact, name)]
    return [str(found[one].amount) for one in ids if one in found]


_ID_NAMES = ("entry_id", "expense_id", "milestone_id", "outcome_id", "adjustment_id", "period")


def codes(masters: Masters, *facts: Fact) -> list[str | None]:
    """The exception codes of the facts' subjects, by subject."""
    found = settled(masters, *facts)
    return [one.parked.code if one.parked else None for _, one in sorted(found.items())]


def total(amounts_of_charges: Iterable[str]) -> Decimal:
    return sum((Decimal(amount) for amount in amounts_of_charges), Decimal(0))
