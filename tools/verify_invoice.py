#!/usr/bin/env python3
"""Checks an invoice from the bundle that `hourstream prove` writes, and says in sentences what it found.

    python3 -I -S verify_invoice.py BUNDLE [--key FILE] [--head FILE]

BUNDLE is a folder or a zip file. Written from docs/DOMAIN.md alone (its sections are in parentheses), it settles the
engagements of the invoice anew, compares every charge, builds lines and totals from the charges, recomputes the seals
and follows each chain to its head. Exit status 0: no fault. 1: faults, each named, or the bundle cannot be read.
"""

# fmt: off
import argparse
import base64
import contextlib
import hashlib
import hmac
import json
import re
import sys
import uuid
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction as F
from io import BytesIO
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

Rec = dict[str, Any]
def table(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split())

# The fields of each id of a master; of a fact its id, its day and its kind of subject; VAT ids (appendix C).
MASTERS = table("""clients=client_id legal-entities=legal_entity_id consultants=consultant_id engagements=engagement_id
    tasks=task_id rate-cards=rate_card_id expense-policies=expense_policy_id per-diems=per_diem_id
    tax-rules=tax_rule_id fx-rates=base:quote:date calendars=calendar_id""")
FACTS = table("""time.entries=entry_id:work_date:time expenses=expense_id:incurred_on:expense
    milestones=milestone_id:completed_on:milestone outcomes=outcome_id:achieved_on:outcome
    adjustments=adjustment_id:effective_on:adjustment billing.periods=period:period:fee
    exception.decisions=decision_id:decision_id:decision""")
VAT_IDS = table(r"""AT=ATU\d{8} BE=BE[01]\d{9} BG=BG\d{9,10} CY=CY\d{8}[A-Z] CZ=CZ\d{8,10} DE=DE\d{9} DK=DK\d{8}
    EE=EE\d{9} ES=ES([A-Z]\d{7}[A-Z\d]|\d{8}[A-Z]) FI=FI\d{8} FR=FR[0-9A-HJ-NP-Z]{2}\d{9} GR=EL\d{9} HR=HR\d{11}
    HU=HU\d{8} IE=IE(\d{7}[A-Z]{1,2}|\d[A-Z+*]\d{5}[A-Z]) IT=IT\d{11} LT=LT(\d{9}|\d{12}) LU=LU\d{8} LV=LV\d{11}
    MT=MT\d{8} NL=NL\d{9}B\d\d PL=PL\d{10} PT=PT\d{9} RO=RO\d{2,10} SE=SE\d{12} SI=SI\d{8} SK=SK\d{10}""")
DIGITS = dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3) | {"CLF": 4, "UYW": 4}
DIGITS |= dict.fromkeys(re.findall("...", "BIFCLPDJFGNFISKJPYKMFKRWPYGRWFUGXUYIVNDVUVXAFXOFXPFBYR"), 0)
SEALED = ("billing.ready", "adjustments", "exception.decisions", "hourstream.invoices")
PLAIN: Rec = dict.fromkeys(("consultant_id", "task_id", "labor_category", "rate", "rate_unit", "reason"))
PLAIN |= {"multiplier": F(1), "worked_minutes": 0, "billable_minutes": 0}
COMPARED = (*PLAIN, "kind", "client_id", "legal_entity", "work_date", "period", "currency", "amount",
            "tax_category", "tax_rate")
VERSION, NAMESPACE = "2", uuid.UUID("6f1d2c3a-8b54-5e0f-9a77-2d4c1b9e8f30")

class Held(Exception):
    """A check of the rules holds a subject: it has no charge."""
def need(found: Any) -> Any:  # noqa: ANN401
    if not found:
        raise Held
    return found
def rounded_to(digits: int, amount: F) -> F:
    size = F(int(abs(amount) * 10**digits + F(1, 2)), 10**digits)
    return -size if amount < 0 else size
def running(amounts: Iterable[F], currency: str) -> list[F]:
    """Amounts rounded so that each leading sum is the rounded exact one (8a, 8b)."""
    sums = [rounded_to(DIGITS.get(currency, 2), total) for total in accumulate(amounts, initial=F(0))]
    return [after - before for before, after in pairwise(sums)]
def in_order(record: Rec) -> tuple[Any, ...]:
    return record["topic"], record["partition"], record.get("offset", record.get("end"))
def is_valid(record: Rec, day: str) -> bool:
    return bool(record["valid_from"] <= day and (not record.get("valid_to") or day < record["valid_to"]))
def is_sound(entry: Rec) -> bool:
    return bool(entry["task_id"] and entry["consultant_id"] and entry["source"]) and 0 <= entry["minutes"] <= 1440
def grouped(items: Iterable[Rec], *names: str) -> Iterable[list[Rec]]:
    groups = defaultdict[Any, list[Rec]](list)
    for item in items:
        groups[tuple(item[name] for name in names)].append(item)
    return groups.values()
def put(works: list[Rec], amounts: list[F]) -> None:
    for work, amount in zip(works, amounts, strict=True):
        work["amount"] = amount
def days_of(period: str) -> list[str]:
    """The days of a month; none for a text that is no month."""
    if not re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", period) or period < "0001":
        return []
    first = date.fromisoformat(f"{period}-01").toordinal()
    return [day for n in range(31) if (day := date.fromordinal(first + n).isoformat())[:7] == period]
def content(value: Any) -> Any:  # noqa: ANN401 - whatever a record holds
    """All but occurred_at; an empty text equals an absent one (1.4)."""
    if isinstance(value, dict):
        return {k: content(v) for k, v in value.items() if k != "occurred_at" and v not in (None, "")}
    return [content(item) for item in value] if isinstance(value, list) else value

def winning(records: Iterable[Rec], until: float) -> dict[Any, dict[str, Rec]]:
    """Masters by topic, facts by engagement and topic, each by its id, of the records up to an instant (1.2 to 1.5)."""
    known = defaultdict[Any, dict[str, Rec]](dict)
    for record in (record for record in records if record["timestamp"] <= until):
        topic, value = record["topic"].removeprefix("master."), record["value"]
        own = known[topic] if topic in MASTERS else known[value["engagement_id"], topic]
        id_ = ":".join(value[name] for name in (MASTERS.get(topic) or FACTS[topic].split(":")[0]).split(":"))
        now = own.get(id_)
        if now is None or value["revision"] > now["revision"]:
            own[id_] = dict(value)
        elif value["revision"] == now["revision"] and content(value) == content(now):
            now["occurred_at"] = min(now["occurred_at"], value["occurred_at"])
    return known

class Engagement:
    """The rules of §2 over one engagement. `out` has the charge of each subject; what a check holds has none."""
    def __init__(self, id_: str, known: dict[Any, dict[str, Rec]]) -> None:
        self.id, self.known = id_, known
        self.e = known["engagements"].get(id_, {})
        self.client = known["clients"].get(self.e.get("client_id", ""), {})
        self.method, self.currency = self.e.get("billing_method", ""), self.e.get("currency", "")
        self.free, self.priced = self.method == "non_billable", self.method in ("time_and_materials", "retainer")
        self.out, self.works, self.claims, self.tallied = dict[str, Rec](), list[Rec](), list[Rec](), list[Rec]()
        self.recorded = Counter[tuple[str, str]]()
    def facts(self, topic: str) -> Iterable[Rec]:
        return self.known[self.id, topic].values()
    def settle(self) -> dict[str, Rec]:
        if not self.client:
            return {}
        for e in self.facts("time.entries"):
            if e["status"] == "approved" and is_sound(e):
                self.recorded[e["consultant_id"], e["work_date"]] += e["minutes"]
        for topic, one in (("time.entries", self.time), ("expenses", self.expense), ("milestones", self.milestone)):
            self.each(topic, one)
        self.round_minutes()
        self.price()
        cap = self.e.get("cap") or {}
        both = cap.get("scope") == "time_and_expenses"
        self.limit(self.works + self.claims if both else self.works, cap)
        self.limit([] if both else self.claims, {})
        self.each("outcomes", self.outcome)
        for group in grouped(self.tallied, "metric", "month"):
            put([o["charge"] for o in group], self.tiers(group[0]["terms"], [o["units"] for o in group]))
        self.each("adjustments", self.adjustment)
        self.each("billing.periods", self.period)
        return self.out
    def each(self, topic: str, one: Any) -> None:  # noqa: ANN401 - a method of this class
        """Settle the facts that pass the checks of every subject (1 and 14), in canonical order."""
        id_, on, kind = FACTS[topic].split(":")
        dated, e = topic in ("time.entries", "expenses", "outcomes", "billing.periods"), self.e
        closed = {p["period"]: p["occurred_at"] for p in self.facts("billing.periods") if p["status"] == "closed"}
        for fact in sorted(self.facts(topic), key=lambda fact: (fact[on], fact[id_])):
            first = last = fact[on]
            if topic == "billing.periods":
                first, *_, last = days_of(fact["period"]) or ("", "")
            elif dated and e.get("late_policy") == "park" and fact["occurred_at"] > closed.get(first[:7], "9999-99"):
                continue
            held = e["status"] == "draft" or (e.get("on_hold_from") and first >= e["on_hold_from"])
            inside = max(first, e["starts_on"]) <= min(last, e.get("ends_on") or last)
            passes = fact["status"] in ("approved", "completed", "open", "closed") and fact["source"] and first
            if passes and not held and (inside or not dated):
                with contextlib.suppress(Held):
                    one(f"{kind}:{fact[id_]}", first, fact)
    def charge(self, subject: str, day: str, amount: F, free: bool = False, **more: object) -> None:
        """Charge a subject whose tax is known; nothing, without tax, what is not billable (3)."""
        tax: Any = more.pop("tax", None) or ((None, None) if free else self.tax(day))
        own = {name: self.e[name] for name in ("client_id", "legal_entity", "currency")}
        own |= {"kind": subject.partition(":")[0], "work_date": day, "period": day[:7], "amount": self.rounded(amount)}
        more |= {"amount": F(0), "reason": "NON_BILLABLE"} if free else {}
        self.out[subject] = {**PLAIN, **own, "tax_category": tax[0], "tax_rate": tax[1], **more}
    def rounded(self, amount: F) -> F:
        return rounded_to(DIGITS.get(self.currency, 2), amount)
    def shares(self, total: F, parts: list[F]) -> list[F]:
        whole = sum(parts, F(0))
        return running([self.rounded(total) * part / whole if whole else F(0) for part in parts], self.currency)
    def tax(self, day: str) -> Any:  # noqa: ANN401 - rule 12
        override, jurisdiction = self.e.get("tax_override"), self.client["tax_jurisdiction"]
        seller, buyer = self.e["seller_country"], self.client["country"]
        if override:
            return override["category"], F(override["rate"])
        if seller != buyer:
            if seller not in VAT_IDS or buyer not in VAT_IDS:
                return "O", F(0)
            if vat_id := self.client.get("vat_id"):
                vat_id = re.sub(r"[ .\-]", "", vat_id).upper()
                return need(re.fullmatch(VAT_IDS[buyer], vat_id, re.ASCII)) and ("AE", F(0))
            jurisdiction = self.e["seller_tax_jurisdiction"]
        rules = sorted(self.known["tax-rules"].values(), key=lambda rule: str(rule["tax_rule_id"]))
        rules = [rule for rule in rules if rule["jurisdiction"] == jurisdiction and is_valid(rule, day)]
        rule = max(need(rules), key=lambda rule: str(rule["valid_from"]))  # the first of equals
        return rule["category"], F(rule["rate"])
    def time(self, subject: str, day: str, e: Rec) -> None:  # rules 2 to 5, 9
        need(is_sound(e) and self.recorded[e["consultant_id"], day] <= 1440)
        task = need(self.known["tasks"].get(e["task_id"]))
        need(task["engagement_id"] == self.id and not (task.get("closed_on") and day >= task["closed_on"]))
        grades = [g for g in need(self.known["consultants"].get(e["consultant_id"]))["grades"] if is_valid(g, day)]
        grade = max(grades, key=lambda g: str(g["valid_from"]), default=Rec()).get("labor_category")
        more = {"worked_minutes": e["minutes"], "consultant_id": e["consultant_id"], "task_id": e["task_id"]}
        more["labor_category"] = e.get("labor_category") or task.get("labor_category") or grade or None
        if not e["billable"] or not task["billable"] or self.free:
            self.charge(subject, day, F(0), free=True, **more)
            return
        work = {**more, "subject": subject, "day": day, "month": day[:7], "more": more, "covered": 0, "holiday": False}
        if self.priced:
            wanted = {name: more[name] for name in ("consultant_id", "task_id", "labor_category")}
            work["price"], work["unit"] = self.rate(day, **wanted)
            if self.e.get("holiday_calendar"):
                work["holiday"] = day in need(self.known["calendars"].get(self.e["holiday_calendar"]))["holidays"]
        self.works.append({**work, "tax": self.tax(day), "amount": F(0)})
    def rate(self, day: str, **wanted: str | None) -> Any:  # noqa: ANN401 - rule 5: the amount and the unit
        if self.e.get("blended_rate"):
            return F(self.e["blended_rate"]["amount"]), self.e["blended_rate"]["unit"]
        cards = self.known["rate-cards"]
        firm = sorted(id_ for id_, card in cards.items() if card["is_firm_default"])
        for id_ in [*filter(None, (self.e.get("rate_card_id"), self.client.get("default_rate_card_id"))), *firm]:
            lines = need(cards.get(id_))["lines"] if cards.get(id_, self.e)["currency"] == self.currency else []
            lines = [line for line in lines if is_valid(line, day)]
            lines = [line for line in lines if all(line.get(n) in (None, "", value) for n, value in wanted.items())]
            ranks = [(*(bool(line.get(n)) for n in wanted), line["valid_from"]) for line in lines]
            if lines:  # the most specific, then the latest; two such are ambiguous
                best = lines[ranks.index(max(ranks))]
                return need(ranks.count(max(ranks)) == 1) and (F(best["amount"]), best["unit"])
        raise Held
    def round_minutes(self) -> None:  # rule 6, over the recorded minutes or those agreed (A2)
        found = [a for a in self.facts("adjustments") if a["kind"] == "minutes" and a["status"] == "approved"]
        found = [a for a in found if a["reason"] and a["source"] and a["minutes"] in range(1441)]
        found.sort(key=lambda a: (a["effective_on"], a["adjustment_id"]))
        agreed, terms = {a["subject"]: a["minutes"] for a in found}, self.e["rounding"]
        step = terms["increment_minutes"]
        add = {"up": step - 1, "down": 0, "nearest": F(step, 2)}[terms["mode"]]
        for n, w in enumerate(self.works):
            w["minutes"] = agreed.get(w["subject"], w["worked_minutes"])
            w["group"] = n if terms["scope"] == "entry" else 0
        for group in grouped(self.works, "group", "consultant_id", "task_id", "day"):
            total = sum(w["minutes"] for w in group)
            change = int((total + add) // step * step) - total
            for w in reversed(group):
                before, w["minutes"] = w["minutes"], max(0, w["minutes"] + change)
                change -= w["minutes"] - before
    def price(self) -> None:  # rules 7, 8 and 10
        terms, retainer, so_far, left = self.e["multipliers"], self.e.get("retainer"), Counter[Any](), dict[int, int]()
        weekend, holiday, overtime = (F(terms.get(name) or 0) for name in ("weekend", "holiday", "overtime"))
        threshold = terms.get("overtime_after_minutes") if overtime else None
        discount, full_day = 1 - F(self.e["discount_percent"]) / 100, 60 * F(self.e["hours_per_day"])
        for w in self.works:
            own = w["more"] = w["more"] | {"billable_minutes": w["minutes"], "reason": "COVERED_BY_FEE"}
            if not self.priced:
                continue
            if self.method == "retainer" and retainer:
                now, start = (int(day[:4]) * 12 + int(day[5:7]) for day in (w["day"], self.e["starts_on"]))
                for month in range(max(start, now - retainer["rollover_months"]), now + 1):
                    use = min(left.setdefault(month, retainer["included_minutes"]), w["minutes"] - w["covered"])
                    left[month], w["covered"] = left[month] - use, w["covered"] + use
            so_far[w["consultant_id"], w["day"]] += w["minutes"]
            beyond = 0 if threshold is None else so_far[w["consultant_id"], w["day"]] - threshold
            free = w["free"] = w["minutes"] - w["covered"]
            tail, is_weekend = max(0, min(free, beyond)), date.fromisoformat(w["day"]).isoweekday() >= 6
            plain = max(weekend if is_weekend else F(0), holiday if w["holiday"] else F(0))
            high, plain = max(plain, overtime) or F(1), plain or F(1)
            w["weight"] = (free - tail) * plain + tail * high
            w["exact"] = w["price"] * w["weight"] * discount / (60 if w["unit"] == "hour" else full_day)
            w["amount"] = self.rounded(w["exact"])
            factors = ([high] if tail else []) + ([plain] if free > tail or not w["minutes"] else [])
            own |= {"rate": w["price"], "rate_unit": w["unit"], "multiplier": max(factors, default=F(1))}
            own["reason"] = "COVERED_BY_RETAINER" if w["covered"] else None
        if self.priced and self.e.get("amount_rounding") == "cumulative":
            hourly = [w for w in self.works if w["unit"] == "hour"]
            for group in grouped(hourly, "task_id", "labor_category", "price", "month"):
                put(group, running([w["exact"] for w in group], self.currency))
        daily = [w for w in self.works if self.priced and w["unit"] == "day" and self.e["day_rule"] != "prorata"]
        for group in grouped(daily, "consultant_id", "task_id", "day"):
            minutes = sum(w["free"] for w in group)
            days = F(-(-minutes // full_day)) if 2 * minutes > full_day else F(min(minutes, 1), 2)
            days = min(days, F(1)) if self.e["day_rule"] == "half_day_capped" else days
            parts = [days * w["weight"] / (minutes or 1) * w["price"] * discount for w in group]
            put(group, self.shares(sum(parts, F(0)), parts))
    def limit(self, claims: list[Rec], cap: Rec) -> None:  # rule 11: what the cap leaves of each claim
        room = self.rounded(F(cap.get("amount", 0)))
        for claim in sorted(claims, key=lambda claim: (claim["day"], claim["subject"])):
            amount, more = claim["amount"], claim["more"]
            if cap and amount > max(room, 0):
                amount = max(room, F(0))
                if cap["policy"] == "absorb":
                    more["reason"] = "OVER_CAP"
                elif not amount and not claim["covered"]:
                    continue
            room -= amount
            self.charge(claim["subject"], claim["day"], amount, tax=claim["tax"], **more)
    def expense(self, subject: str, day: str, x: Rec) -> None:  # E1 to E5
        amount, currency, markup, rule = F(x["amount"]), x["currency"], F(0), Rec()
        quantity, more = F(1 if x.get("quantity") is None else x["quantity"]), {"consultant_id": x["consultant_id"]}
        need(x["consultant_id"] and x["category"] and currency and quantity >= 0)
        if self.e.get("expense_policy_id"):
            rules = need(self.known["expense-policies"].get(self.e["expense_policy_id"]))["rules"]
            rule = need(next((rule for rule in rules if rule["category"] == x["category"]), None))
            above, limit, markup = rule.get("receipt_above"), rule.get("limit"), F(rule["markup_percent"])
            need(rule["allowed"] and (above is None or amount <= F(above) or x.get("receipt")))
            if limit is not None:
                need(amount * self.exchange(currency, rule.get("limit_currency") or currency, day) <= F(limit))
        if rule.get("per_diem"):
            rate = self.per_diem(need(x.get("place")), rule["component"], day)
            most = quantity * F(rate["amount"])
            if rule["per_diem"] == "flat":
                amount, currency = most, rate["currency"]
            elif not self.free:
                amount = min(amount, most * self.exchange(rate["currency"], currency, day))
        if self.free:
            self.charge(subject, day, F(0), free=True, **more)
            return
        amount = self.rounded(amount * self.exchange(currency, self.currency, day) * (1 + markup / 100))
        claim = {"subject": subject, "day": day, "amount": amount, "tax": self.tax(day), "more": more}
        self.claims.append({**claim, "covered": 0})
    def per_diem(self, place: str, component: str, day: str) -> Rec:  # E4
        found = []
        for rate in sorted(self.known["per-diems"].values(), key=lambda rate: str(rate["per_diem_id"])):
            texts = (rate.get("season_from") or "01-01", rate.get("season_to") or "12-31", day[5:])
            start, end, now = ("02-28" if text == "02-29" else text for text in texts)
            in_season = start <= now <= end if start <= end else now >= start or now <= end
            if (rate["place"], rate["component"]) == (place, component) and is_valid(rate, day) and in_season:
                found.append(rate)
        return max(need(found), key=lambda r: (r["valid_from"], bool(r.get("season_from"))))  # the first of equals
    def exchange(self, base: str, quote: str, day: str) -> F:  # E3
        factor = F(1) if base == quote else self.leg(base, quote, day)
        for middle in ("EUR", "USD"):
            if not factor and middle not in (base, quote):
                factor = self.leg(base, middle, day) * self.leg(middle, quote, day)
        return F(need(factor))
    def leg(self, base: str, quote: str, day: str) -> F:  # the rate of a pair, direct or inverse; 0 for none
        pairs, found = {(base, quote): True, (quote, base): False}, [(True, "", F(0))]
        first = str(date.fromisoformat(day) - timedelta(31))
        for r in self.known["fx-rates"].values():
            if (r["base"], r["quote"]) in pairs and first <= r["date"] <= day:
                found.append((pairs[r["base"], r["quote"]], r["date"], F(r["rate"])))
        is_direct, _, rate = max(found[1:] or found)
        return rate if is_direct else 1 / rate
    def milestone(self, subject: str, day: str, fact: Rec) -> None:
        own = [m for m in self.e.get("milestones") or () if m["milestone_id"] == fact["milestone_id"]]
        self.charge(subject, day, F(need(own)[0]["amount"]), free=self.free)
    def adjustment(self, subject: str, day: str, a: Rec) -> None:
        need(a["kind"] == "amount" and a["reason"] and a.get("amount") is not None)
        self.charge(subject, day, F(a["amount"]))
    def outcome(self, subject: str, day: str, o: Rec) -> None:
        terms = [t for t in self.e.get("outcomes") or () if t["metric"] == o["metric"]]
        need(terms and o["metric"] and F(o["quantity"]) >= 0)
        self.charge(subject, day, F(0), free=self.free)
        own = {"charge": self.out[subject], "month": day[:7], "terms": terms[0], "units": F(o["quantity"])}
        self.tallied += [] if self.free else [{**own, "metric": o["metric"]}]
    def tiers(self, terms: Rec, units: list[F]) -> list[F]:  # O3 to O5: the amounts of a month's outcomes of a metric
        tiers = [(F(t["unit_price"]), F(t["flat_fee"])) for t in terms["tiers"]]
        tops, total, found = [F(t["up_to"]) for t in terms["tiers"][:-1]], sum(units, F(0)), list[F]()
        if terms["model"] == "per_unit":
            return [self.rounded(quantity * tiers[0][0]) for quantity in units]
        if terms["model"] == "volume":
            price, flat = tiers[sum(total > top for top in tops)]
            return self.shares(total * price + flat, units if total else [F(0)] * (len(units) - 1) + [F(1)])
        reached, entered = F(0), 0
        for quantity in units:
            now, amount = reached + quantity, F(0)
            for n, ((price, flat), bottom) in enumerate(zip(tiers, [F(0), *tops], strict=True)):
                top = tops[n] if n < len(tops) else now
                amount += max(F(0), min(now, top) - max(reached, bottom)) * price
                if n >= entered and (now > bottom or n == 0):
                    amount, entered = amount + flat, n + 1
            found.append(self.rounded(amount))
            reached = now
        return found
    def period(self, subject: str, first: str, period: Rec) -> None:  # F1, F2 and rule 15
        days, month = days_of(period["period"]), period["period"]
        terms = self.e.get(self.method) if self.method in ("retainer", "subscription") else None
        if self.e.get("minimum") and self.priced and period["status"] == "closed":
            time = [c["amount"] for c in self.out.values() if c["kind"] == "time" and c["period"] == month]
            amount = self.rounded(max(F(0), F(self.e["minimum"]["amount"]) - sum(time, F(0))))
            self.charge(f"minimum:{month}", first, amount, reason=None if amount else "MINIMUM_REACHED")
        if terms:
            inside = sum(self.e["starts_on"] <= day <= (self.e.get("ends_on") or day) for day in days)
            share = F(inside, len(days)) if terms.get("proration") == "daily" else F(1)
            self.charge(subject, first, F(terms["monthly_fee"]) * share)

def avro(data: BytesIO, schema: Any) -> Any:  # noqa: ANN401 - a schema and what it describes
    """What bytes say by their schema: dates and instants as ISO texts, decimals as fractions."""
    kind, logical = (schema["type"], schema.get("logicalType")) if isinstance(schema, dict) else (schema, None)
    if kind == "record":
        return {field["name"]: avro(data, field["type"]) for field in schema["fields"]}
    if kind in ("null", "boolean"):
        return data.read(1) == b"\1" if kind == "boolean" else None
    number, shift, byte = 0, 0, 128
    while byte > 127:
        byte = data.read(1)[0]
        number, shift = number | (byte & 127) << shift, shift + 7
    number = number >> 1 ^ -(number & 1)  # a number, the place in an enum or a union, or a length
    if isinstance(schema, list):
        return avro(data, schema[number])
    if kind == "array":
        return [avro(data, schema["items"]) for _ in range(number)] + (avro(data, schema) if number else [])
    if logical in ("date", "timestamp-millis"):
        moment = datetime(1970, 1, 1) + number * timedelta(*((1,) if kind == "int" else (0, 0, 1000)))  # noqa: DTZ001
        return moment.isoformat(timespec="milliseconds") + "Z" if kind == "long" else moment.date().isoformat()
    if kind in ("long", "enum"):
        return schema["symbols"][number] if kind == "enum" else number
    read = data.read(number)
    return F(int.from_bytes(read, signed=True), 10 ** schema["scale"]) if logical else read.decode()

def row_of(data: bytes) -> Rec:
    """An invoice as it is sealed: a row whose values are texts of PostgreSQL."""
    row: Rec = json.loads(data)
    row |= {name: re.findall(r'[^{},"]+', row[name]) for name in ("charges", "credits")}
    return row | {name: json.loads(row[name]) for name in ("lines", "taxes", "seller", "buyer")}
def raw(record: Rec) -> bytes:
    """All that Kafka keeps of a record, as it is sealed."""
    parts = [record["topic"].encode(), *(b"%d" % record[name] for name in ("partition", "offset", "timestamp"))]
    for name, text in [("", record["raw"]["key"]), ("", record["raw"]["value"]), *record["raw"]["headers"]]:
        parts += [name.encode()] * bool(name) + [b"\0" if text is None else b"\1" + base64.b64decode(text)]
    return b"".join(len(part).to_bytes(8) + part for part in parts)
def same(found: Any, shown: Any) -> bool:  # noqa: ANN401 - any value, and what JSON shows of it
    if isinstance(found, dict | list):
        keys = found if isinstance(found, dict) else range(len(found))
        return len(found) == len(shown) and all(same(found[key], shown[key]) for key in keys)
    number = isinstance(found, F) and shown is not None
    return F(shown) == found if number else bool((found or None) == (shown or None))
def differences(charge: Rec | None, rules: Rec | None) -> list[str]:
    """In what a charge that stands is not what the rules give."""
    if charge is None or rules is None:
        return [] if charge is rules else [f"the rules give {'no' if rules is None else 'a'} charge"]
    return [f"{n} is {charge[n]}, not {rules[n]}" for n in COMPARED if not same(rules[n], charge[n])]
def negated(charge: Rec) -> Rec:
    return {n: -F(charge[n]) if n.endswith(("amount", "minutes")) else charge[n] for n in COMPARED}
def priced(minutes: int, net: F, agreed: F | None, digits: int) -> tuple[F, str, F]:
    """Quantity, unit and price of a line: hours at the agreed rate where that gives its net, else what it implies."""
    if not minutes or net * minutes < 0:
        return F(-1 if net < 0 else 1), "C62", abs(net)
    quantity = rounded_to(6, F(minutes, 60))
    prices = [rounded_to(6, p) for p in (agreed, abs(net * 60 / minutes), abs(net / quantity)) if p is not None]
    return quantity, "HUR", next((p for p in prices if rounded_to(digits, p * quantity) == net), prices[-1])

class Proof:
    """The checks of one bundle. `said` is what was checked, `faults` what is wrong, `left` what was not checked."""
    def __init__(self, files: Mapping[str, bytes], key: bytes, head: str | None) -> None:
        self.said, self.faults, self.left, self.keys = list[str](), list[str](), list[str](), {key, b""}
        self.facts, self.masters, self.charges, self.seals = (
            sorted(map(json.loads, files[f"{name}.jsonl"].splitlines()), key=in_order)
            for name in ("facts", "masters", "charges", "seals"))
        self.by_id: dict[str, Rec] = {r["value"]["charge_id"]: r["value"] for r in self.charges}
        self.invoice, listed = json.loads(files["invoice.json"]), json.loads(files["manifest.json"])
        self.schemas, self.blind = json.loads(files["schemas.json"]), listed["keyed"] and not key
        self.d, self.heads = self.invoice["value"], head or files["heads.txt"].decode()
        self.ids, self.digits, self.known = listed["engagements"], DIGITS.get(self.d["currency"], 2), dict[float, Rec]()
        self.own = [self.by_id[id_] for id_ in self.d["charges"] if id_ in self.by_id]
        for name, digest in listed["files"].items():
            self.check(hashlib.sha256(files.get(name, b"")).hexdigest() == digest, f"{name} is not as it was written")
        for part in (self.check_charges, self.check_lineage, self.check_lines, self.check_totals, self.check_seals):
            part()
    def check(self, holds: object, fault: str) -> None:
        self.faults += [] if holds else [fault]
    def derived(self, until: float, id_: str) -> dict[str, Rec]:  # the charges by what was known at an instant
        if until not in self.known:
            known = winning([*self.masters, *self.facts], until)
            self.known[until] = {each: Engagement(each, known).settle() for each in self.ids}
        return dict(self.known[until][id_])
    def check_charges(self) -> None:  # 3.2, 3.3: charges follow each other; what stands is what the rules give
        standing, numbers, undone = {id_: Rec() for id_ in self.ids}, Counter[Any](), dict[str, Rec]()
        for c in self.by_id.values():
            id_, subject, what = c["engagement_id"], c["subject"], "reversal" if c["reverses"] else "charge"
            numbers[id_, subject] += what == "charge"
            name = json.dumps([id_, subject, numbers[id_, subject], what], ensure_ascii=False, separators=(",", ":"))
            before = standing[id_].pop(subject, Rec())
            fits = c["charge_id"] == str(uuid.uuid5(NAMESPACE, name)) and before.get("charge_id") == c["reverses"]
            if c["reverses"]:
                undone[c["reverses"]] = c
                fits = fits and not differences(c, negated(before))
            else:
                standing[id_][subject] = c
            self.check(fits, f"{subject}: the {what} {c['charge_id']} does not follow from what was before it")
        for id_, own in standing.items():
            now = self.derived(float("inf"), id_)
            for subject in sorted({*now, *own}):
                wrong = differences(own.get(subject), now.get(subject))
                self.faults += [f"{subject} of {id_}: {each}" for each in wrong]
            self.said.append(f"The facts of {id_}, settled anew, give {len(now)} charges.")
        past, listed = [(self.by_id[id_], undo) for id_, undo in undone.items()], set(self.d["charges"])
        past = [(c, undo) for c, undo in past if (c["charge_id"] in listed) != (undo["charge_id"] in listed)]
        for c, undo in past:
            first, last = (round(datetime.fromisoformat(e["decided_at"]).timestamp() * 1000) for e in (c, undo))
            times = {r["timestamp"] for r in [*self.masters, *self.facts] if first <= r["timestamp"] < last}
            moments = sorted({last - 1, *times}, reverse=True)[:50]
            if all(differences(c, self.derived(at, c["engagement_id"]).get(c["subject"])) for at in moments):
                words = f"{c['subject']}: {c['charge_id']} is not what the rules gave before it was reversed"
                (self.faults if c["lineage"]["rules_version"] == VERSION else self.left).append(words)
        self.said.append(f"{len(past)} charges reversed since were derived from what was known then.")
    def check_lineage(self) -> None:  # 3.5: the revisions that the charges name are in the bundle
        named = dict[tuple[Any, ...], Rec]()
        for r in [*self.masters, *self.facts]:
            topic, value = r["topic"].removeprefix("master."), r["value"]
            id_ = ":".join(value[n] for n in (MASTERS.get(topic) or FACTS[topic].split(":")[0]).split(":"))
            place = (value["engagement_id"], r["partition"], r["offset"]) if topic in FACTS else ()
            named.setdefault((topic, id_, value["revision"], *place), value)
        for c in self.by_id.values():
            by, subject = c["lineage"], c["subject"]
            id_, place = subject.partition(":")[2], (c["engagement_id"], by["partition"], by["offset"])
            self.check((by["topic"], id_, by["revision"], *place) in named, f"{subject}: its fact is not in the bundle")
            for m in by["masters"]:
                topic = f"{m['kind'].replace('_', '-')}s".replace("policys", "policies")
                record = named.get((topic, m["id"], m["revision"]), Rec())
                prices = [F(line["amount"]) for line in record.get("lines", ()) if line["line_id"] == m["line_id"]]
                self.check(record and (not m["line_id"] or F(c["rate"]) in prices),
                           f"{subject}: {m['kind']} {m['id']} revision {m['revision']} is not as it names it")
    def check_lines(self) -> None:  # 4.1, 4.2: the charges belong on one document, and its lines are their sums
        d, wanted, rows = self.d, Counter[Any](), list[Rec]()
        self.check(len(self.own) == len(d["charges"]), "a charge of the invoice is not in the bundle")
        for c in self.own:
            fits = all((c[n] or d[n]) == d[n] for n in ("legal_entity", "client_id", "currency", "po_number"))
            one, first = ((each["tax_category"] == "O", each["po_number"] or "") for each in (c, self.own[0]))
            fits = fits and one == first and d["engagement_id"] in (None, "", c["engagement_id"])
            fits = fits and c["reason"] != "NON_BILLABLE"
            self.check(fits and c["work_date"] <= (self.invoice["cut_off"] or "9999"), f"{c['subject']} is not for it")
            rows.append({**c, "subject": None if c["kind"] == "time" else c["subject"]})
        key = ("period", "kind", "task_id", "labor_category", "subject", "tax_category")
        for group in grouped(rows, *key, "tax_rate", "rate", "rate_unit", "multiplier", "reason", "engagement_id"):
            net, minutes = sum((F(c["amount"]) for c in group), F(0)), sum(c["billable_minutes"] for c in group)
            c = group[0]
            agreed = F(c["rate"]) * F(c["multiplier"]) if c["rate_unit"] == "hour" else None
            row = (*(c[n] or None for n in key), F(c["tax_rate"]), net, *priced(minutes, net, agreed, self.digits))
            wanted[row] += bool(net or minutes)
        for line in d["lines"]:
            row = (*(line[n] or None for n in key), F(line["tax_rate"]), F(line["net"]),
                   F(line["quantity"]), line["unit"], F(line["price"]))
            self.check(wanted[row] > 0, f"line {line['line']} ({line['name']}, {line['net']}) is no sum of its charges")
            wanted[row] -= 1
        self.check(max(wanted.values(), default=0) <= 0, "a line that the charges give is not on the invoice")
        self.said.append(f"{len(d['lines'])} lines are the sums of {len(self.own)} charges.")
    def check_totals(self) -> None:  # 4.4, 4.8: tax of each category and rate, totals, kind
        d, before, bases = self.d, self.invoice["billed_before"], defaultdict[tuple[str, F], F](F)
        for line in d["lines"]:
            bases[line["tax_category"], F(line["tax_rate"])] += F(line["net"])
        due = sorted((*by, base, rounded_to(self.digits, base * by[1] / 100)) for by, base in bases.items())
        given = sorted((t["category"], *(F(t[n]) for n in ("rate", "base", "amount"))) for t in d["taxes"])
        net, tax, rounding, payable = (F(d[n]) for n in ("net", "tax", "rounding", "payable"))
        credited = {before.get(c["reverses"]) for c in self.own} - {None}
        self.check(due == given, "the taxes are not those of the lines, by category and rate (BR-CO-17)")
        self.check(net == sum(bases.values()), "the net total is not the sum of the lines (BR-CO-10)")
        self.check(tax == sum(row[3] for row in due), "the tax total is not the sum of the taxes (BR-CO-14)")
        self.check(payable == net + tax + rounding, "the payable amount is not net, tax and rounding (BR-CO-15, 16)")
        self.check(d["kind"] == ("credit_note" if payable < 0 else "invoice"), "below zero it is a credit note (4.4)")
        self.check(set(d["credits"]) == credited, "the invoices that it credits are not those of the charges reversed")
        self.check(abs(rounding) <= F(2 * len(due) * len(credited), 10**self.digits), "the rounding is too large")
        self.left += ["names, addresses, dates of the document and its texts, beyond their seal"]
        self.left += [f"the rounding of {d['rounding']} to what it credits, beyond its bounds"] if rounding else []
        self.said.append(f"The totals follow from the lines: {d['net']} net, {d['payable']} {d['currency']} payable.")
    def check_seals(self) -> None:  # the records are as sealed, and each chain leads to its head
        sealed = [r for r in [*self.facts, *self.charges, self.invoice] if r["topic"] in SEALED]
        records, covered, ends = {in_order(r): r for r in sealed}, set[Any](), Counter[Any]()
        for place, r in records.items():
            value = base64.b64decode(r["raw"]["value"])
            schema = self.schemas.get(str(int.from_bytes(value[1:5])))
            told = row_of(value) if place[0].startswith("hourstream.") else avro(BytesIO(value[5:]), schema)
            self.check(same(told, r["value"]), f"{place} does not say what the bundle shows of it")
        body, _, mac = self.heads.rpartition("mac ")
        self.check(not self.seals or self.fits(mac.strip(), b"heads\0" + body.encode()), "the heads were altered")
        heads = re.findall(r"(?m)^(\S+) (\d+) end (\d+) records (\d+) hash (\w+)$", self.heads)
        for chain in grouped(self.seals, "topic", "partition"):
            where, last, found = (chain[0]["topic"], chain[0]["partition"]), (0, 0, ""), list[Any]()
            for s in chain:
                digests = dict(s.get("digests", ()))
                added = len(digests) or max(s["records"] - last[1], 1)
                fits = (s["start"], s["records"], s["previous"]) == (last[0], last[1] + added, last[2])
                text = bytes.fromhex(s["previous"] + "".join(digests.values()))
                fits = fits and (not digests or self.fits(s["hash"], text))
                self.check(fits, f"{where}: the seal up to {s['end']} does not fit its records and the seal before it")
                last = (s["end"], s["records"], s["hash"])
                found.append((where[0], *map(str, (where[1], *last))))
                for place in ((*where, offset) for offset in digests):
                    whole = place not in records or self.fits(digests[place[2]], raw(records[place]))
                    self.check(whole, f"{place} was altered since it was sealed")
                    covered.add(place)
            ends[where] = last[0]
            self.check({*found} & {*heads}, f"{where}: the head is not that of its chain")
        unsealed = sorted({*records} - covered)
        for place in unsealed:
            self.check(place[2] >= ends[place[:2]], f"{place} is in no seal of its chain")
        self.left += [f"{len(unsealed)} records that no seal covers yet"] if unsealed else []
        self.left += [f"{len(self.seals)} seals and their heads, whose key was not given"] if self.blind else []
        self.said.append(f"{len(records) - len(unsealed)} records are in {len(self.seals)} seals with their heads.")
    def fits(self, digest: str, data: bytes) -> bool:
        return self.blind or any(hmac.new(key, data, "sha256").hexdigest() == digest for key in self.keys)

def main() -> int:
    parser = argparse.ArgumentParser(description="Check an invoice from the bundle of `hourstream prove`.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=Path, help="the file of the key that the seals were made with")
    parser.add_argument("--head", type=Path, help="heads of the chains that were kept elsewhere")
    given = parser.parse_args()
    try:
        root: Any = given.bundle if given.bundle.is_dir() else zipfile.Path(given.bundle)
        files = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}
        key = given.key.read_bytes().strip() if given.key else b""
        proof = Proof(files, key, given.head and given.head.read_text())
    except (OSError, LookupError, ValueError, TypeError, ArithmeticError, AttributeError, zipfile.BadZipFile) as error:
        print(f"FAULT: the bundle cannot be read: {type(error).__name__}: {error}")
        return 1
    for word, sentences in (("", proof.said), ("Not checked: ", proof.left), ("FAULT: ", proof.faults)):
        print(*(f"{word}{sentence}" for sentence in sentences), sep="\n", end="\n" * bool(sentences))
    print(f"{proof.d['invoice_id']}: {len(proof.faults)} faults; {len(proof.left)} matters not checked.")
    return bool(proof.faults)
if __name__ == "__main__":
    sys.exit(main())
