"""All that is not time: expenses, milestones, outcomes, fees, minimums and adjustments."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction as F
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.oracle.sums import days_of, exchange, month, rounded, valid
from tests.oracle.winners import Rec

if TYPE_CHECKING:
    from tests.oracle.reading import Claim, Reading


class Items:
    """What an engagement has beside time."""

    def __init__(self, reading: Reading) -> None:
        self.r = reading
        self.engagement: dict[str, Any] = reading.engagement or {}

    def all_others(self) -> None:
        """Everything that no cap limits; time and expenses are written already."""
        for milestone in self.r.facts["milestones"]:
            self._milestone(milestone)
        self._outcomes()
        for adjustment in self.r.facts["adjustments"]:
            self._adjustment(adjustment)
        for period in self.r.facts["billing.periods"]:
            self._fee(period)
            self._minimum(period)

    @property
    def free(self) -> bool:
        return self.engagement.get("billing_method") == "non_billable"

    def _charge(self, subject: str, fact: Rec, day: date, amount: F, reason: str | None = None) -> None:
        tax = self.r.tax(day)
        if isinstance(tax, str):
            self.r.park(subject, fact, tax)
        else:
            self.r.charge(subject, rounded(amount, self.engagement["currency"]), tax, reason)

    # Expenses.

    def expense_claims(self) -> list[Claim]:
        """The claims of expenses; every other line of expenses is written."""
        from tests.oracle.reading import Claim

        claims = []
        for expense in self.r.facts["expenses"]:
            subject = f"expense:{expense['expense_id']}"
            if self.r.waits(subject, expense["status"]):
                continue
            found = self._expense(expense)
            if isinstance(found, str):
                self.r.park(subject, expense, found)
                continue
            if self.free:
                self.r.charge(subject, F(0), (None, None), "NON_BILLABLE")
                continue
            tax = self.r.tax(expense["incurred_on"])
            if isinstance(tax, str):
                self.r.park(subject, expense, tax)
                continue
            amount = rounded(found, self.engagement["currency"])
            line = partial(self._expense_line, subject, tax)
            claims.append(Claim(expense["incurred_on"], subject, amount, line, fact=expense))
        return claims

    def _expense_line(self, subject: str, tax: Any, amount: F, over_cap: str | None, code: str | None) -> None:  # noqa: ANN401
        self.r.charge(subject, amount, tax, over_cap, code=code)

    def _expense(self, expense: Rec) -> F | str:
        """The exact amount (0 on an engagement that is not billable), or a code: E1 to E5."""
        r, day, currency = self.r, expense["incurred_on"], expense["currency"]
        rates = r.masters["master.fx-rates"]
        quantity = F(1) if expense.get("quantity") is None else F(expense["quantity"])
        empty = not all(expense[name] for name in ("consultant_id", "category", "currency", "source"))
        code = r.common(empty or quantity < 0, day, day)
        if code is not None:
            return code
        if r.is_late(expense, day):
            return "PERIOD_CLOSED"
        rule = None
        if self.engagement.get("expense_policy_id"):
            policy = r.one("master.expense-policies", "expense_policy_id", self.engagement["expense_policy_id"])
            if policy is None:
                return "UNKNOWN_EXPENSE_POLICY"
            rule = next((rule for rule in policy["rules"] if rule["category"] == expense["category"]), None)
            if rule is None or not rule["allowed"]:
                return "EXPENSE_CATEGORY_NOT_ALLOWED"
            above = rule.get("receipt_above")
            if above is not None and expense["amount"] > above and not expense.get("receipt"):
                return "RECEIPT_MISSING"
            if rule.get("limit") is not None:
                factor = exchange(rates, currency, rule.get("limit_currency") or currency, day)
                if factor is None:
                    return "NO_FX_RATE"
                if F(expense["amount"]) * factor > F(rule["limit"]):
                    return "EXPENSE_OVER_LIMIT"
        amount = F(expense["amount"])
        if rule is not None and rule.get("per_diem"):
            rate = self._per_diem(expense.get("place"), rule["component"], day)
            if rate is None:
                return "NO_PER_DIEM"
            if self.free:
                return F(0)
            by_the_day = quantity * F(rate["amount"])
            if rule["per_diem"] == "flat":
                amount, currency = by_the_day, rate["currency"]
            else:
                factor = exchange(rates, rate["currency"], currency, day)
                if factor is None:
                    return "NO_FX_RATE"
                amount = min(amount, by_the_day * factor)
        if self.free:
            return F(0)
        factor = exchange(rates, currency, self.engagement["currency"], day)
        if factor is None:
            return "NO_FX_RATE"
        return amount * factor * (1 + (F(rule["markup_percent"]) if rule else F(0)) / 100)

    def _per_diem(self, place: str | None, component: str, day: date) -> Rec | None:
        def counts_as(text: str) -> str:
            return "02-28" if text == "02-29" else text

        def in_season(rate: Rec) -> bool:
            if not rate.get("season_from"):
                return True
            start, end, now = (counts_as(t) for t in (rate["season_from"], rate["season_to"], day.isoformat()[5:]))
            return start <= now <= end if start <= end else not end < now < start

        found = [
            rate
            for rate in self.r.masters["master.per-diems"]
            if place
            and (rate["place"], rate["component"]) == (place, component)
            and valid(rate, day)
            and in_season(rate)
        ]  # fmt: skip
        if not found:
            return None
        found = [rate for rate in found if rate["valid_from"] == max(rate["valid_from"] for rate in found)]
        found = [rate for rate in found if rate.get("season_from")] or found
        return min(found, key=lambda rate: rate["per_diem_id"])

    # Milestones, outcomes, fees, minimums, adjustments.

    def _milestone(self, milestone: Rec) -> None:
        subject, day = f"milestone:{milestone['milestone_id']}", milestone["completed_on"]
        if self.r.waits(subject, milestone["status"]):
            return
        code = self.r.common(not milestone["source"], day, day, dates=False)
        terms = [t for t in self.engagement.get("milestones", ()) if t["milestone_id"] == milestone["milestone_id"]]
        if code is None and not terms:
            code = "UNKNOWN_MILESTONE"
        if code is not None:
            self.r.park(subject, milestone, code)
        elif self.free:
            self.r.charge(subject, F(0), (None, None), "NON_BILLABLE")
        else:
            self._charge(subject, milestone, day, F(terms[0]["amount"]))

    def _outcomes(self) -> None:
        groups = defaultdict[Any, list[Rec]](list)
        for outcome in sorted(self.r.facts["outcomes"], key=lambda o: (o["achieved_on"], o["outcome_id"])):
            subject, day = f"outcome:{outcome['outcome_id']}", outcome["achieved_on"]
            if self.r.waits(subject, outcome["status"]):
                continue
            invalid = outcome["quantity"] < 0 or not outcome["metric"] or not outcome["source"]
            code = self.r.common(invalid, day, day)
            if code is None and self.r.is_late(outcome, day):
                code = "PERIOD_CLOSED"
            if code is None and not self._terms(outcome["metric"]):
                code = "UNKNOWN_METRIC"
            if code is not None:
                self.r.park(subject, outcome, code)
            elif self.free:
                self.r.charge(subject, F(0), (None, None), "NON_BILLABLE")
            elif isinstance(tax := self.r.tax(day), str):
                self.r.park(subject, outcome, tax)
            else:
                groups[outcome["metric"], month(day)].append(outcome)
        for (metric, _), group in groups.items():
            amounts = self._tiers(self._terms(metric)[0], [F(outcome["quantity"]) for outcome in group])
            for outcome, amount in zip(group, amounts, strict=True):
                self._charge(f"outcome:{outcome['outcome_id']}", outcome, outcome["achieved_on"], amount)

    def _terms(self, metric: str) -> list[Rec]:
        return [terms for terms in self.engagement.get("outcomes", ()) if terms["metric"] == metric]

    def _tiers(self, terms: Rec, quantities: list[F]) -> list[F]:
        tiers, currency = terms["tiers"], self.engagement["currency"]
        if terms["model"] == "per_unit":
            return [rounded(quantity * F(tiers[0]["unit_price"]), currency) for quantity in quantities]
        tops = [F(tier["up_to"]) for tier in tiers[:-1]]
        if terms["model"] == "graduated":
            found, reached, entered = [], F(0), -1
            for quantity in quantities:
                amount, bottom = F(0), F(0)
                for index, tier in enumerate(tiers):
                    top = tops[index] if index < len(tops) else reached + quantity
                    units = min(reached + quantity, top) - max(reached, bottom)
                    amount += max(F(0), units) * F(tier["unit_price"])
                    if index > entered and (index == 0 or reached + quantity > bottom):
                        amount, entered = amount + F(tier["flat_fee"]), index
                    bottom = top
                found.append(rounded(amount, currency))
                reached += quantity
            return found
        total = sum(quantities, F(0))
        tier = tiers[sum(total > top for top in tops)]
        due = rounded(total * F(tier["unit_price"]) + F(tier["flat_fee"]), currency)
        if total == 0:
            return [F(0)] * (len(quantities) - 1) + [due]
        sums = [rounded(due * sum(quantities[:end], F(0)) / total, currency) for end in range(len(quantities) + 1)]
        return [after - before for before, after in pairwise(sums)]

    def _fee(self, period: Rec) -> None:
        terms = self.engagement.get(self.engagement.get("billing_method", ""))
        if self.engagement.get("billing_method") not in ("retainer", "subscription") or not terms:
            return
        subject, days = f"fee:{period['period']}", days_of(period["period"])
        first, last = (days[0], days[-1]) if days else (date.min, date.min)
        code = self.r.common(days is None or not period["source"], first, last)
        if code is not None or days is None:
            self.r.park(subject, period, code or "INVALID")
            return
        share = F(len(self.r.month_days(period["period"])), len(days)) if terms.get("proration") == "daily" else F(1)
        self._charge(subject, period, first, F(terms["monthly_fee"]) * share)

    def _minimum(self, period: Rec) -> None:
        terms = self.engagement.get("minimum")
        if not terms or self.engagement["billing_method"] not in ("time_and_materials", "retainer"):
            return
        if period["status"] != "closed" or not self.r.month_days(period["period"]):
            return
        subject, days = f"minimum:{period['period']}", days_of(period["period"]) or []
        code = self.r.common(not period["source"], days[0], days[-1])
        if code is not None:
            self.r.park(subject, period, code)
            return
        of_month = {
            f"time:{e['entry_id']}" for e in self.r.facts["time.entries"] if month(e["work_date"]) == period["period"]
        }
        time = sum((F(line["amount"]) for name, line in self.r.out.items() if name in of_month), F(0))
        amount = rounded(max(F(0), F(terms["amount"]) - time), self.engagement["currency"])
        self._charge(subject, period, days[0], amount, None if amount else "MINIMUM_REACHED")

    def _adjustment(self, adjustment: Rec) -> None:
        subject, day = f"adjustment:{adjustment['adjustment_id']}", adjustment["effective_on"]
        named = adjustment.get("subject") or ""
        empty = not adjustment["reason"] or not adjustment["source"]
        if adjustment["kind"] == "minutes":
            if adjustment["status"] != "approved":
                return
            minutes = adjustment.get("minutes")
            known = {f"time:{entry['entry_id']}" for entry in self.r.facts["time.entries"]}
            if empty or minutes is None or not 0 <= minutes <= 1440 or not named.startswith("time:"):
                self.r.park(subject, adjustment, "INVALID")
            elif named not in known:
                self.r.park(subject, adjustment, "UNKNOWN_SUBJECT")
            return
        if self.r.waits(subject, adjustment["status"]):
            return
        code = self.r.common(empty or adjustment.get("amount") is None, day, day, dates=False)
        if code is not None:
            self.r.park(subject, adjustment, code)
        else:
            self._charge(subject, adjustment, day, F(adjustment["amount"]))
