"""What would change the amount of a subject: how far away each threshold is that its price depends on."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from common.decimals import plain
from rating.items.fx import MAX_AGE
from rating.model.charge import Charge, Settlement
from rating.model.days import month_of
from rating.model.facts import BillingPeriod, Expense, Fact, Outcome, TimeEntry, gathered
from rating.model.master_data import Engagement, RateCard
from rating.model.masters import Masters
from rating.model.money import rounded_money
from rating.settle import settle
from rating.time.retainer import covered_minutes
from rating.time.rounding import rounded_minutes

_ANY_MINUTES = 10**9  # more than any retainer grants


def thresholds(
    fact: Fact, settlement: Settlement, facts: Sequence[Fact], masters: Masters, engagement: Engagement | None
) -> Iterator[str]:
    """Sentences, nearest rule first; nothing for a subject without a charge of an engagement that is known."""
    charge = settlement.charge
    if charge is None or engagement is None:
        return
    settled = settle(engagement.engagement_id, gathered(facts), masters).subjects
    charges = [each.charge for each in settled.values() if each.charge is not None]
    if isinstance(fact, TimeEntry) and charge.reason != "NON_BILLABLE":
        yield from _of_rounding(fact, facts, engagement)
        yield from _of_retainer(fact, charges, engagement)
        yield from _of_overtime(fact, charges, engagement)
        yield from _of_rate(charge, masters)
    if isinstance(fact, Expense):
        yield from _of_expense(fact, charge, masters, engagement)
    if isinstance(fact, Outcome):
        yield from _of_tiers(fact, charges, facts, engagement)
    if charge.kind in ("time", "expense"):
        yield from _of_cap(charges, engagement)
    if charge.kind in ("time", "minimum"):
        yield from _of_minimum(charge.period, charges, engagement)
    yield from _of_tax(charge, masters)
    yield from _of_closing(charge, facts, engagement)


def _of_rounding(entry: TimeEntry, facts: Sequence[Fact], engagement: Engagement) -> Iterator[str]:
    terms = engagement.rounding
    if terms.increment_minutes == 1:
        yield "every minute more or less changes the billable minutes"
        return
    group = [entry.minutes]
    if terms.scope == "person_day":
        same = (entry.consultant_id, entry.task_id, entry.work_date)
        times = [each for each in facts if isinstance(each, TimeEntry) and each.status == "approved"]
        group = [each.minutes for each in times if (each.consultant_id, each.task_id, each.work_date) == same]
    total = sum(group)
    now = rounded_minutes(total, terms.increment_minutes, terms.mode)
    up = _first(range(1, terms.increment_minutes + 1), total, now, engagement)
    down = _first(range(-1, -min(total, terms.increment_minutes) - 1, -1), total, now, engagement)
    whose = "recorded" if terms.scope == "entry" else "recorded that day on the task"
    for change in (up, down):
        if change is not None:
            after = rounded_minutes(total + change, terms.increment_minutes, terms.mode)
            yield f"{total + change} min {whose} in place of {total} bill {after} min in place of {now}"


def _first(changes: Iterable[int], total: int, now: int, engagement: Engagement) -> int | None:
    terms = engagement.rounding
    return next((c for c in changes if rounded_minutes(total + c, terms.increment_minutes, terms.mode) != now), None)


def _of_retainer(entry: TimeEntry, charges: Sequence[Charge], engagement: Engagement) -> Iterator[str]:
    if engagement.billing_method != "retainer" or engagement.retainer is None:
        return
    time = [c for c in charges if c.kind == "time" and c.reason != "NON_BILLABLE" and c.work_date <= entry.work_date]
    time.sort(key=lambda charge: (charge.work_date, charge.subject))
    days, minutes = [c.work_date for c in time], [c.billable_minutes for c in time]
    *_, left = covered_minutes(
        [*days, entry.work_date], [*minutes, _ANY_MINUTES], engagement.retainer, engagement.starts_on
    )
    yield f"{left} retainer minutes are left after {entry.work_date}; minutes beyond them are charged"


def _of_overtime(entry: TimeEntry, charges: Sequence[Charge], engagement: Engagement) -> Iterator[str]:
    terms = engagement.multipliers
    if not terms.overtime or terms.overtime_after_minutes is None:
        return
    same = (entry.consultant_id, entry.work_date)
    total = sum(c.billable_minutes for c in charges if c.kind == "time" and (c.consultant_id, c.work_date) == same)
    left = terms.overtime_after_minutes - total
    times = f"times {plain(terms.overtime)}"
    if left >= 0:
        yield f"{left} min more of {entry.consultant_id} on {entry.work_date} reach overtime ({times})"
    else:
        yield f"{-left} min of {entry.consultant_id} on {entry.work_date} are overtime ({times})"


def _of_rate(charge: Charge, masters: Masters) -> Iterator[str]:
    for ref in charge.lineage.masters:
        card = masters.cards.get(ref.id) if ref.kind == "rate_card" else None
        if card is not None:
            yield from _of_line(card, ref.line_id, charge)
    consultant = masters.consultants.get(charge.consultant_id or "")
    for grade in consultant.grades if consultant else ():
        if grade.labor_category == charge.labor_category and grade.valid_to and charge.work_date < grade.valid_to:
            yield f"the grade {grade.labor_category} of {charge.consultant_id} ends on {_before(grade.valid_to)}"


def _of_line(card: RateCard, line_id: str | None, charge: Charge) -> Iterator[str]:
    line = next((each for each in card.lines if each.line_id == line_id), None)
    if line is None:
        return
    own = (line.consultant_id, line.task_id, line.labor_category)
    later = [each for each in card.lines if (each.consultant_id, each.task_id, each.labor_category) == own]
    later = [each for each in later if each.valid_from > charge.work_date]
    for each in sorted(later, key=lambda each: each.valid_from)[:1]:
        price = f"{plain(each.amount)} {card.currency} per {each.unit}"
        yield f"from {each.valid_from} on line {each.line_id} of card {card.rate_card_id} is {price}"
    if line.valid_to is not None:
        yield f"line {line.line_id} of card {card.rate_card_id} is valid until {_before(line.valid_to)}"


def _of_expense(expense: Expense, charge: Charge, masters: Masters, engagement: Engagement) -> Iterator[str]:
    policy = masters.policies.get(engagement.expense_policy_id or "")
    rule = next((each for each in policy.rules if each.category == expense.category), None) if policy else None
    if rule is not None and rule.limit is not None:
        yield f"above {plain(rule.limit)} {rule.limit_currency or expense.currency} the expense is on hold"
    if rule is not None and rule.receipt_above is not None and not expense.receipt:
        yield f"above {plain(rule.receipt_above)} {expense.currency} it needs a receipt"
    for ref in charge.lineage.masters:
        if ref.kind == "fx_rate":
            day = date.fromisoformat(ref.id.rpartition(":")[2])
            yield f"a rate {ref.id.rpartition(':')[0]} later than {day}, up to {expense.incurred_on}, takes its place"
            yield f"the rate of {day} serves days until {day + MAX_AGE}"


def _of_tiers(
    outcome: Outcome, charges: Sequence[Charge], facts: Sequence[Fact], engagement: Engagement
) -> Iterator[str]:
    month, charged = month_of(outcome.achieved_on), {charge.subject for charge in charges}
    own = [each for each in facts if isinstance(each, Outcome) and f"outcome:{each.outcome_id}" in charged]
    same = [each for each in own if each.metric == outcome.metric and month_of(each.achieved_on) == month]
    total = sum((each.quantity for each in same), Decimal(0))
    terms = next((each for each in engagement.outcomes if each.metric == outcome.metric), None)
    for tier in terms.tiers if terms and terms.model != "per_unit" else ():
        if tier.up_to is not None and total <= tier.up_to:
            yield f"{plain(tier.up_to - total)} {outcome.metric} more in {month} fill this tier; more go to the next"
            return


def _of_cap(charges: Sequence[Charge], engagement: Engagement) -> Iterator[str]:
    cap = engagement.cap
    if cap is None:
        return
    kinds = ("time", "expense") if cap.limits_expenses else ("time",)
    used = sum((charge.amount for charge in charges if charge.kind in kinds), Decimal(0))
    left = max(rounded_money(cap.amount, engagement.currency) - used, Decimal(0))
    yield f"{left} {engagement.currency} of the cap of {plain(cap.amount)} are left"


def _of_minimum(period: str, charges: Sequence[Charge], engagement: Engagement) -> Iterator[str]:
    if engagement.minimum is None:
        return
    time = sum((c.amount for c in charges if c.kind == "time" and c.period == period), Decimal(0))
    short = rounded_money(engagement.minimum.amount, engagement.currency) - time
    yield (
        f"the time of {period} is {short} {engagement.currency} short of the minimum, which fills it"
        if short > 0
        else f"the time of {period} is {-short} {engagement.currency} above the minimum"
    )


def _of_tax(charge: Charge, masters: Masters) -> Iterator[str]:
    for ref in charge.lineage.masters:
        rules = [rule for of in masters.tax_rules.values() for rule in of if rule.tax_rule_id == ref.id]
        for rule in rules if ref.kind == "tax_rule" else ():
            if rule.valid_to is not None:
                yield f"tax rule {rule.tax_rule_id} is valid until {_before(rule.valid_to)}"


def _of_closing(charge: Charge, facts: Sequence[Fact], engagement: Engagement) -> Iterator[str]:
    periods = [each for each in facts if isinstance(each, BillingPeriod) and each.period == charge.period]
    late = engagement.late_policy == "park" and charge.kind in ("time", "expense", "outcome")
    if late and any(period.status == "closed" for period in periods):
        yield f"{charge.period} is closed: a corrected revision is late, and on hold"


def _before(day: date) -> date:
    """The last day of a validity that ends before a day."""
    return day - timedelta(days=1)
