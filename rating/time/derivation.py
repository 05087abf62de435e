"""The sentences a billing clerk reads to see why a time charge is what it is (DOMAIN.md §3, `derivation`)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import assert_never

from common.decimals import plain
from rating.model.enumerations import RoundingMode
from rating.model.master_data import Engagement, Rounding
from rating.model.rating_context import NON_BILLABLE
from rating.time.adjustments import AgreedMinutes
from rating.time.amounts import rounds_lines
from rating.time.checked_time import PricedWork, UnpricedWork, Work
from rating.time.multipliers import Segment
from rating.time.rates import BlendedRate, CardRate, Rate, specificity


def explain_unpriced(work: UnpricedWork, billable: int, agreed: AgreedMinutes | None) -> str:
    """Why work costs nothing: `task E1-T2 is not billable; 47 min recorded.`"""
    engagement, entry = work.contract.engagement, work.entry
    if work.reason == NON_BILLABLE:
        return f"{_not_billable(work)}; {entry.minutes} min recorded."
    tax = f"; {work.tax.why}" if work.tax else ""
    fee = f"time is covered by the {engagement.billing_method.replace('_', ' ')} terms"
    return f"{fee}; {_minutes(work, billable, agreed)}{tax}."


def explain_priced(
    work: PricedWork,
    agreed: AgreedMinutes | None,
    billable: int,
    parts: Sequence[Segment],
    full: Decimal,
    amount: Decimal,
) -> str:
    """Rate, minutes, price, cap and tax of priced work, in the order in which they were decided."""
    engagement = work.contract.engagement
    opening, closing = around_minutes(work)
    steps = [_minutes(work, billable, agreed), _price(work.rate, parts, engagement, full)]
    if amount != full:
        steps.append(f"the cap leaves {amount} {engagement.currency}")
    return f"{opening}{'; '.join(steps)}{closing}"


def around_minutes(work: PricedWork) -> tuple[str, str]:
    """How the derivation of priced work begins (the rate) and ends (the tax), whatever its minutes are."""
    return f"{_rate(work.rate, work.contract.engagement.currency)}; ", f"; {work.tax.why}."


def _not_billable(work: Work) -> str:
    if work.contract.is_non_billable:
        return f"engagement {work.contract.engagement.engagement_id} is not billable"
    if not work.task.billable:
        return f"task {work.task.task_id} is not billable"
    return "the entry is marked not billable"


def _rate(rate: Rate, currency: str) -> str:
    match rate:
        case BlendedRate(terms):
            return f"blended rate of the engagement: {plain(terms.amount)} {currency} per {terms.unit}"
        case CardRate():
            return _card_rate(rate)
        case _:
            assert_never(rate)


def _card_rate(rate: CardRate) -> str:
    line = rate.line
    decided = f"card {rate.card.rate_card_id} line {line.line_id} ({specificity(line)})"
    price = f"{plain(line.amount)} {rate.card.currency} per {line.unit}"
    if rate.beaten is None:
        return f"{decided}: {price}"
    return f"{decided} beat line {rate.beaten.line_id} ({specificity(rate.beaten)}): {price}"


def _minutes(work: Work, billable: int, agreed: AgreedMinutes | None) -> str:
    worked = work.entry.minutes
    words = f"{worked} min"
    if agreed is not None:
        worked = agreed.minutes
        words += f", agreed as {worked} by adjustment {agreed.adjustment_id}"
    return words + rounding_in_words(worked, billable, work.contract.engagement.rounding)


def rounding_in_words(worked: int, billable: int, rounding: Rounding) -> str:
    """How minutes to bill became billable ones, said behind them; nothing where they are the same."""
    if billable == worked:
        return ""
    words = f" {_direction(rounding.mode)} {billable} by {rounding.increment_minutes}"
    return words if rounding.scope == "entry" else f"{words} (its part of the day's rounding)"


def _direction(mode: RoundingMode) -> str:
    match mode:
        case "up":
            return "up to"
        case "down":
            return "down to"
        case "nearest":
            return "to the nearest,"
        case _:
            assert_never(mode)


def _price(rate: Rate, parts: Sequence[Segment], engagement: Engagement, full: Decimal) -> str:
    priced = [_part(part) for part in parts if part.minutes and not part.covered]
    covered = sum(part.minutes for part in parts if part.covered)
    words = [f"{covered} min covered by the retainer"] if covered else []
    discount = discount_in_words(engagement.discount_percent)
    by = _day_rule(engagement) if rate.unit == "day" else _running(engagement)
    return ", ".join([*words, f"{' + '.join(priced) or '0 min'}{by}{discount} = {full} {engagement.currency}"])


def discount_in_words(percent: Decimal) -> str:
    """A discount, said behind what it is on; nothing where there is none."""
    return f" less {plain(percent)} %" if percent else ""


def _part(part: Segment) -> str:
    if not part.multiplier.why:
        return f"{part.minutes} min"
    return f"{part.minutes} min x {plain(part.multiplier.factor)} ({part.multiplier.why})"


def _day_rule(engagement: Engagement) -> str:
    match engagement.day_rule:
        case "prorata":
            return f" of days of {plain(engagement.hours_per_day)} h"
        case "half_day_steps":
            return " in half-day steps with the same task and day,"
        case "half_day_capped":
            return " in half-day steps with the same task and day, a day at most,"
        case _:
            assert_never(engagement.day_rule)


def _running(engagement: Engagement) -> str:
    return " (rounded with the line so far)" if rounds_lines(engagement) else ""
