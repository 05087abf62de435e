"""Time: rules 2 to 10."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction as F
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

from tests.oracle.sums import month, rounded, valid
from tests.oracle.winners import Rec

if TYPE_CHECKING:
    from tests.oracle.reading import Claim, Reading


class TimeWork:
    """The time of an engagement."""

    def __init__(self, reading: Reading) -> None:
        self.r = reading
        self.entries = sorted(reading.facts["time.entries"], key=lambda e: (e["work_date"], e["entry_id"]))

    def claims(self) -> list[Claim]:
        """The claims of priced time; every other line of time is written."""
        priced, covered = list[Rec](), list[Rec]()
        for entry in self.entries:
            subject = f"time:{entry['entry_id']}"
            if self.r.waits(subject, entry["status"]):
                continue
            found = self._check(entry)
            if isinstance(found, str):
                self.r.park(subject, entry, found, entry["minutes"])
            elif found["how"] == "NON_BILLABLE":
                self.r.charge(subject, F(0), (None, None), "NON_BILLABLE", worked_minutes=entry["minutes"])
            else:
                (priced if found["how"] == "PRICED" else covered).append(found | {"entry": entry})
        for work, minutes in zip(covered, self._billable(covered), strict=True):
            entry = work["entry"]
            self.r.charge(
                f"time:{entry['entry_id']}",
                F(0),
                work["tax"],
                "COVERED_BY_FEE",
                worked_minutes=entry["minutes"],
                billable_minutes=minutes,
            )
        return self._price(priced, self._billable(priced))

    def _invalid(self, entry: Rec) -> bool:
        empty = not (entry["task_id"] and entry["consultant_id"] and entry["source"])
        return empty or not 0 <= entry["minutes"] <= 1440

    def _check(self, entry: Rec) -> Rec | str:
        r, day = self.r, entry["work_date"]
        code = r.common(self._invalid(entry), day, day)
        if code is not None:
            return code
        engagement: dict[str, Any] = r.engagement or {}
        if r.is_late(entry, day):
            return "PERIOD_CLOSED"
        task = r.one("master.tasks", "task_id", entry["task_id"])
        if task is None or task["engagement_id"] != r.id:
            return "UNKNOWN_TASK"
        if task.get("closed_on") is not None and day >= task["closed_on"]:
            return "TASK_CLOSED"
        person = r.one("master.consultants", "consultant_id", entry["consultant_id"])
        if person is None:
            return "UNKNOWN_CONSULTANT"
        same_day = [
            e["minutes"]
            for e in self.entries
            if (e["consultant_id"], e["work_date"], e["status"]) == (entry["consultant_id"], day, "approved")
            and not self._invalid(e)
        ]
        if sum(same_day) > 1440:
            return "DAY_OVER_24H"
        if not entry["billable"] or not task["billable"] or engagement["billing_method"] == "non_billable":
            return {"how": "NON_BILLABLE"}
        category = entry.get("labor_category") or task.get("labor_category") or _grade(person, day)
        if engagement["billing_method"] not in ("time_and_materials", "retainer"):
            tax = r.tax(day)
            return tax if isinstance(tax, str) else {"how": "COVERED", "tax": tax}
        rate = self._rate(entry, category)
        if isinstance(rate, str):
            return rate
        calendar = None
        if engagement.get("holiday_calendar"):
            calendar = r.one("master.calendars", "calendar_id", engagement["holiday_calendar"])
            if calendar is None:
                return "UNKNOWN_CALENDAR"
        tax = r.tax(day)
        if isinstance(tax, str):
            return tax
        holiday = calendar is not None and day in calendar["holidays"]
        return {"how": "PRICED", "tax": tax, "rate": rate, "category": category, "holiday": holiday}

    def _rate(self, entry: Rec, category: str | None) -> tuple[F, str] | str:
        """Rule 5: (amount, unit), or a code."""
        r = self.r
        engagement: dict[str, Any] = r.engagement or {}
        blended = engagement.get("blended_rate")
        if blended:
            return F(blended["amount"]), blended["unit"]
        client: dict[str, Any] = r.client or {}
        cards: list[Rec | None] = []
        for named in (engagement.get("rate_card_id"), client.get("default_rate_card_id")):
            if named:
                cards.append(r.one("master.rate-cards", "rate_card_id", named))
        firm = [card for card in r.masters["master.rate-cards"] if card["is_firm_default"]]
        for card in [*cards, *sorted(firm, key=lambda card: card["rate_card_id"])]:
            if card is None:
                return "UNKNOWN_RATE_CARD"
            if card["currency"] != engagement["currency"]:
                continue
            wanted = {"consultant_id": entry["consultant_id"], "task_id": entry["task_id"], "labor_category": category}
            matching = [
                line
                for line in card["lines"]
                if valid(line, entry["work_date"]) and all(line.get(n) in (None, "", v) for n, v in wanted.items())
            ]
            if matching:
                best = max(_rank(line) for line in matching)
                equal = [line for line in matching if _rank(line) == best]
                latest = max(line["valid_from"] for line in equal)
                chosen = [line for line in equal if line["valid_from"] == latest]
                return "AMBIGUOUS_RATE" if len(chosen) > 1 else (F(chosen[0]["amount"]), chosen[0]["unit"])
        return "NO_LABOR_CATEGORY" if category is None else "NO_RATE"

    def _billable(self, works: list[Rec]) -> list[int]:
        """Rule 6, with the minutes of adjustments (A2, A3)."""
        if not works:
            return []
        engagement: dict[str, Any] = self.r.engagement or {}
        terms = engagement["rounding"]
        worked = [self._agreed(work["entry"]) for work in works]
        if terms["scope"] == "entry":
            return [_rounded(minutes, terms) for minutes in worked]
        billable = list(worked)
        groups = defaultdict[Any, list[int]](list)
        for index, work in enumerate(works):
            entry = work["entry"]
            groups[entry["consultant_id"], entry["task_id"], entry["work_date"]].append(index)
        for group in groups.values():
            total = sum(worked[index] for index in group)
            change = _rounded(total, terms) - total
            for index in reversed(group):
                now = max(0, billable[index] + change)
                change -= now - billable[index]
                billable[index] = now
        return billable

    def _agreed(self, entry: Rec) -> int:
        named = [
            a
            for a in self.r.facts["adjustments"]
            if a["kind"] == "minutes" and a["status"] == "approved" and a.get("subject") == f"time:{entry['entry_id']}"
            and a.get("minutes") is not None and 0 <= a["minutes"] <= 1440 and a["reason"] and a["source"]
        ]  # fmt: skip
        if not named:
            return int(entry["minutes"])
        return int(max(named, key=lambda a: (a["effective_on"], a["adjustment_id"]))["minutes"])

    def _price(self, works: list[Rec], billable: list[int]) -> list[Claim]:
        """Rules 7, 8 and 10."""
        from tests.oracle.reading import Claim

        engagement: dict[str, Any] = self.r.engagement or {}
        self._cover(works, billable)
        self._overtime(works, billable)
        discount = 1 - F(engagement.get("discount_percent", 0)) / 100
        day_minutes = 60 * F(engagement.get("hours_per_day", 1))
        for work, minutes in zip(works, billable, strict=True):
            ordinary, beyond = self._multipliers(work)
            free = minutes - work["covered"]
            tail = min(work["overtime"], free)
            work["free"], work["weight"] = free, (free - tail) * ordinary + tail * beyond
            amount, unit = work["rate"]
            work["exact"] = amount * work["weight"] * discount / (60 if unit == "hour" else day_minutes)
        self._amounts(works, discount, day_minutes)
        return [
            Claim(
                work["entry"]["work_date"],
                f"time:{work['entry']['entry_id']}",
                work["amount"],
                partial(self._line, work, minutes),
                work["entry"]["minutes"],
                work["covered"] > 0,
                work["entry"],
            )
            for work, minutes in zip(works, billable, strict=True)
        ]

    def _line(self, work: Rec, billable: int, amount: F, over_cap: str | None, code: str | None) -> None:
        entry = work["entry"]
        reason = over_cap or ("COVERED_BY_RETAINER" if work["covered"] else None)
        minutes = {"worked_minutes": entry["minutes"], "billable_minutes": billable}
        self.r.charge(f"time:{entry['entry_id']}", amount, work["tax"], reason, code=code, **minutes)

    def _cover(self, works: list[Rec], billable: list[int]) -> None:
        engagement: dict[str, Any] = self.r.engagement or {}
        terms = engagement.get("retainer") if engagement.get("billing_method") == "retainer" else None
        left: dict[int, int] = {}
        for work, minutes in zip(works, billable, strict=True):
            work["covered"] = 0
            if terms:
                now, start = _index(work["entry"]["work_date"]), _index(engagement["starts_on"])
                for granting in range(now - terms["rollover_months"], now + 1):
                    if granting >= start:
                        use = min(left.get(granting, terms["included_minutes"]), minutes - work["covered"])
                        left[granting] = left.get(granting, terms["included_minutes"]) - use
                        work["covered"] += use

    def _overtime(self, works: list[Rec], billable: list[int]) -> None:
        engagement: dict[str, Any] = self.r.engagement or {}
        terms = engagement.get("multipliers") or {}
        so_far = defaultdict[Any, int](int)
        for work, minutes in zip(works, billable, strict=True):
            work["overtime"] = 0
            if terms.get("overtime") and terms.get("overtime_after_minutes") is not None:
                key = work["entry"]["consultant_id"], work["entry"]["work_date"]
                before = max(so_far[key], terms["overtime_after_minutes"])
                so_far[key] += minutes
                work["overtime"] = max(0, so_far[key] - before)

    def _multipliers(self, work: Rec) -> tuple[F, F]:
        """(of ordinary minutes, of overtime)."""
        engagement: dict[str, Any] = self.r.engagement or {}
        terms = engagement["multipliers"]
        applying = []
        if terms.get("weekend") and work["entry"]["work_date"].isoweekday() >= 6:
            applying.append(F(terms["weekend"]))
        if terms.get("holiday") and work["holiday"]:
            applying.append(F(terms["holiday"]))
        with_overtime = [*applying, F(terms["overtime"])] if terms.get("overtime") else applying
        return max(applying, default=F(1)), max(with_overtime, default=F(1))

    def _amounts(self, works: list[Rec], discount: F, day_minutes: F) -> None:
        """Rules 8, 8a and 8b."""
        engagement: dict[str, Any] = self.r.engagement or {}
        currency, rule = engagement.get("currency", ""), engagement.get("day_rule")
        days, lines = defaultdict[Any, list[Rec]](list), defaultdict[Any, list[Rec]](list)
        for work in works:
            entry, (rate, unit) = work["entry"], work["rate"]
            work["amount"] = rounded(work["exact"], currency)
            if unit == "day" and rule != "prorata":
                days[entry["consultant_id"], entry["task_id"], entry["work_date"]].append(work)
            if unit == "hour" and engagement.get("amount_rounding") == "cumulative":
                lines[entry["task_id"], work["category"], rate, month(entry["work_date"])].append(work)
        for line in lines.values():
            for index, work in enumerate(line):
                up_to = rounded(sum((w["exact"] for w in line[: index + 1]), F(0)), currency)
                work["amount"] = up_to - rounded(sum((w["exact"] for w in line[:index]), F(0)), currency)
        for group in days.values():
            minutes = sum(work["free"] for work in group)
            number = F(0) if minutes == 0 else F(1, 2) if minutes <= day_minutes / 2 else F(ceil(minutes / day_minutes))
            if rule == "half_day_capped":
                number = min(number, F(1))
            parts = [
                number * work["weight"] / minutes * work["rate"][0] * discount if minutes else F(0) for work in group
            ]
            whole = sum(parts, F(0))
            total = rounded(whole, currency)
            for index, work in enumerate(group):
                shares = [total * sum(parts[:end], F(0)) / whole if whole else F(0) for end in (index, index + 1)]
                work["amount"] = rounded(shares[1], currency) - rounded(shares[0], currency)


def _rank(line: Rec) -> tuple[int, bool]:
    """Rule 5: how specific a line is; a labor category breaks the tie, or is a rank of its own."""
    consultant, task, category = (bool(line.get(name)) for name in ("consultant_id", "task_id", "labor_category"))
    if consultant and task:
        return 4, category
    if consultant:
        return 3, category
    return (2, category) if task else (1 if category else 0, False)


def _grade(person: Rec, day: date) -> str | None:
    grades = [grade for grade in person["grades"] if valid(grade, day)]
    return (max(grades, key=lambda grade: grade["valid_from"])["labor_category"] or None) if grades else None


def _rounded(minutes: int, terms: Rec) -> int:
    step = terms["increment_minutes"]
    down = minutes - minutes % step
    if terms["mode"] == "down" or down == minutes:
        return down
    if terms["mode"] == "up":
        return down + step
    return down + step if (minutes - down) * 2 >= step else down


def _index(day: date) -> int:
    return day.year * 12 + day.month
