#!/usr/bin/env python3
"""Checks an invoice from the bundle that `hourstream prove` writes, and says in sentences what it found.

    python3 -I -S verify_invoice.py BUNDLE [--key FILE] [--head FILE]

BUNDLE is a folder or a zip file. This is one file of the standard library, written from docs/DOMAIN.md alone; numbers
in parentheses are sections of it. It settles the engagements of the invoice anew from the facts and masters of the
bundle, compares every charge, builds lines and totals from the charges, recomputes the seals and follows each chain to
its head. Exit status 0: no fault. 1: faults, each named.
"""

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
from math import ceil
from pathlib import Path
from typing import Any

Rec = dict[str, Any]
RULES_VERSION, NAMESPACE = "2", uuid.UUID("6f1d2c3a-8b54-5e0f-9a77-2d4c1b9e8f30")


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
DIGITS = {code: int(digits) for digits, codes in table("""0=BIF,CLP,DJF,GNF,ISK,JPY,KMF,KRW,PYG,RWF,UGX,UYI,VND,VUV,XAF,
    XOF,XPF,BYR 3=BHD,IQD,JOD,KWD,LYD,OMR,TND 4=CLF,UYW""".replace(",\n    ", ",")).items() for code in codes.split(",")}
SEALED = ("billing.ready", "adjustments", "exception.decisions", "hourstream.invoices")
PLAIN: Rec = dict.fromkeys(("consultant_id", "task_id", "labor_category", "rate", "rate_unit", "reason"))
PLAIN |= {"multiplier": F(1), "worked_minutes": 0, "billable_minutes": 0}
SIGNED = ("amount", "worked_minutes", "billable_minutes")
COMPARED = (*PLAIN, "kind", "client_id", "legal_entity", "work_date", "period", "currency", "amount", "tax_category",
            "tax_rate")


class Held(Exception):
    """A check of the rules holds a subject: it has no charge."""


def need(found: Any) -> Any:  # noqa: ANN401
    if not found:
        raise Held
    return found


def half_away(amount: F, digits: int) -> F:
    size = F(int(abs(amount) * 10**digits + F(1, 2)), 10**digits)
    return -size if amount < 0 else size


def running(amounts: Iterable[F], currency: str) -> list[F]:
    """Amounts rounded so that each leading sum is the rounded exact one (8a, 8b)."""
    sums = [half_away(total, DIGITS.get(currency, 2)) for total in accumulate(amounts, initial=F(0))]
    return [after - before for before, after in pairwise(sums)]


def is_valid(record: Rec, day: str) -> bool:
    return bool(record["valid_from"] <= day and (not record.get("valid_to") or day < record["valid_to"]))


def grouped(items: Iterable[Rec], *names: str) -> Iterable[list[Rec]]:
    groups = defaultdict[Any, list[Rec]](list)
    for item in items:
        groups[tuple(item[name] for name in names)].append(item)
    return groups.values()


def content(value: Any) -> Any:  # noqa: ANN401 - whatever a record holds
    """All but occurred_at; an empty text equals an absent one (1.4)."""
    if isinstance(value, dict):
        return {k: content(v) for k, v in value.items() if k != "occurred_at" and v not in (None, "")}
    return [content(item) for item in value] if isinstance(value, list) else value


def winning(records: Iterable[Rec], until: float) -> tuple[dict[str, dict[str, Rec]], dict[str, dict[str, list[Rec]]]]:
    """(masters by topic and id, facts by engagement and topic) of the records up to an instant (1.2 to 1.5)."""
    found: dict[tuple[str, ...], Rec] = {}
    for record in records:
        topic, value = record["topic"].removeprefix("master."), record["value"]
        if record["timestamp"] <= until:
            own = MASTERS[topic] if topic in MASTERS else f"engagement_id:{FACTS[topic].partition(':')[0]}"
            key = (topic, *(value[name] for name in own.split(":")))
            now = found.get(key)
            if now is None or value["revision"] > now["revision"]:
                found[key] = dict(value)
            elif value["revision"] == now["revision"] and content(value) == content(now):
                now["occurred_at"] = min(now["occurred_at"], value["occurred_at"])
    masters: dict[str, dict[str, Rec]] = {topic: {} for topic in MASTERS}
    facts: dict[str, dict[str, list[Rec]]] = defaultdict(lambda: {topic: [] for topic in FACTS})
    for (topic, *ids), value in found.items():
        if topic in MASTERS:
            masters[topic][":".join(ids)] = value
        else:
            facts[ids[0]][topic].append(value)
    return masters, facts


class Engagement:
    """The rules of §2 over one engagement. `out` has the charge of each subject; what a check holds has none."""

    def __init__(self, id_: str, masters: dict[str, dict[str, Rec]], facts: dict[str, list[Rec]]) -> None:
        self.id, self.masters, self.facts = id_, masters, facts
        self.e = masters["engagements"].get(id_, {})
        self.client = masters["clients"].get(self.e.get("client_id", ""), {})
        self.method, self.currency = self.e.get("billing_method", ""), self.e.get("currency", "")
        self.free, self.priced = self.method == "non_billable", self.method in ("time_and_materials", "retainer")
        self.out, self.works, self.claims, self.tallied = dict[str, Rec](), list[Rec](), list[Rec](), list[Rec]()
        self.recorded, self.rates = Counter[tuple[str, str]](), dict[Any, tuple[F, str] | None]()

    def settle(self) -> dict[str, Rec]:
        if not self.client:
            return {}
        for e in self.facts["time.entries"]:
            if e["status"] == "approved" and sound(e):
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
            for o, amount in zip(group, self.tiers(group[0]["terms"], [o["units"] for o in group]), strict=True):
                self.out[o["subject"]]["amount"] = amount
        self.each("adjustments", self.adjustment)
        self.each("billing.periods", self.period)
        return self.out

    def each(self, topic: str, one: Any) -> None:  # noqa: ANN401 - a method of this class
        """Settle the facts that pass the checks of every subject (1 and 14), in canonical order."""
        id_, on, kind = FACTS[topic].split(":")
        dated, e = topic in ("time.entries", "expenses", "outcomes", "billing.periods"), self.e
        closed = {p["period"]: p["occurred_at"] for p in self.facts["billing.periods"] if p["status"] == "closed"}
        for fact in sorted(self.facts[topic], key=lambda fact: (fact[on], fact[id_])):
            first = last = fact[on]
            if topic == "billing.periods":
                days = days_of(fact["period"]) or [""]
                first, last = days[0], days[-1]
            elif dated and e.get("late_policy") == "park" and fact["occurred_at"] > closed.get(first[:7], "9999-99"):
                continue
            held = e["status"] == "draft" or (e.get("on_hold_from") and first >= e["on_hold_from"])
            inside = e["starts_on"] <= last and (not e.get("ends_on") or first <= e["ends_on"])
            passes = fact["status"] in ("approved", "completed", "open", "closed") and fact["source"] and first
            if passes and not held and (inside or not dated):
                with contextlib.suppress(Held):
                    one(f"{kind}:{fact[id_]}", first, fact)

    def charge(self, subject: str, day: str, amount: F, free: bool = False, **more: object) -> None:
        """Charge a subject whose tax is known; nothing, without tax, what is not billable (3)."""
        tax = more.pop("tax", None) or ((None, None) if free else self.tax(day))
        own = {name: self.e[name] for name in ("client_id", "legal_entity", "currency")}
        own |= {"kind": subject.partition(":")[0], "work_date": day, "period": day[:7], "amount": amount}
        self.out[subject] = {**PLAIN, **own, "tax_category": tax[0], "tax_rate": tax[1], **more}
        if free:
            self.out[subject] |= {"amount": F(0), "reason": "NON_BILLABLE"}

    def rounded(self, amount: F) -> F:
        return half_away(amount, DIGITS.get(self.currency, 2))

    def shares(self, total: F, parts: list[F]) -> list[F]:
        whole = sum(parts, F(0))
        return running([self.rounded(total) * part / whole if whole else F(0) for part in parts], self.currency)

    def tax(self, day: str) -> tuple[str, F]:
        """Rule 12."""
        override, jurisdiction = self.e.get("tax_override"), self.client["tax_jurisdiction"]
        seller, buyer = self.e["seller_country"], self.client["country"]
        if override:
            return override["category"], F(override["rate"])
        if seller != buyer:
            if seller not in VAT_IDS or buyer not in VAT_IDS:
                return "O", F(0)
            if self.client.get("vat_id"):
                need(re.fullmatch(VAT_IDS[buyer], re.sub(r"[ .\-]", "", self.client["vat_id"]).upper(), re.ASCII))
                return "AE", F(0)
            jurisdiction = self.e["seller_tax_jurisdiction"]
        rules = [
            r for r in self.masters["tax-rules"].values() if r["jurisdiction"] == jurisdiction and is_valid(r, day)
        ]
        rules.sort(key=lambda rule: str(rule["tax_rule_id"]))
        rule = need(max(rules, key=lambda rule: str(rule["valid_from"]), default=None))  # of equals the first
        return rule["category"], F(rule["rate"])

    def time(self, subject: str, day: str, e: Rec) -> None:
        """Rules 2 to 5, 9."""
        need(sound(e) and self.recorded[e["consultant_id"], day] <= 1440)
        task, person = (
            need(self.masters["tasks"].get(e["task_id"])),
            self.masters["consultants"].get(e["consultant_id"]),
        )
        need(task["engagement_id"] == self.id and not (task.get("closed_on") and day >= task["closed_on"]))
        grades = [grade for grade in need(person)["grades"] if is_valid(grade, day)]
        grade = max(grades, key=lambda g: str(g["valid_from"]), default={"labor_category": None})["labor_category"]
        category = e.get("labor_category") or task.get("labor_category") or grade or None
        more = {"worked_minutes": e["minutes"], "labor_category": category}
        more |= {"consultant_id": e["consultant_id"], "task_id": e["task_id"]}
        if not e["billable"] or not task["billable"] or self.free:
            self.charge(subject, day, F(0), free=True, **more)
            return
        work = {**more, "subject": subject, "day": day, "month": day[:7], "more": more, "covered": 0, "holiday": False}
        if self.priced:
            if (wanted := (e["consultant_id"], e["task_id"], category, day)) not in self.rates:
                self.rates[wanted] = self.rate(*wanted)
            work["price"], work["unit"] = need(self.rates[wanted])
            if self.e.get("holiday_calendar"):
                work["holiday"] = day in need(self.masters["calendars"].get(self.e["holiday_calendar"]))["holidays"]
        self.works.append({**work, "tax": self.tax(day)})

    def rate(self, consultant: str, task: str, category: str | None, day: str) -> tuple[F, str] | None:
        if self.e.get("blended_rate"):
            return F(self.e["blended_rate"]["amount"]), self.e["blended_rate"]["unit"]
        cards, wanted = self.masters["rate-cards"], {"consultant_id": consultant, "task_id": task}
        firm = sorted(id_ for id_, card in cards.items() if card["is_firm_default"])
        for id_ in [*filter(None, (self.e.get("rate_card_id"), self.client.get("default_rate_card_id"))), *firm]:
            found, card = [], need(cards.get(id_))
            for line in card["lines"] if card["currency"] == self.currency else ():
                selects = (
                    line.get(name) in (None, "", v) for name, v in {**wanted, "labor_category": category}.items()
                )
                if is_valid(line, day) and all(selects):  # ranked by consultant, then task, then labor category
                    rank = [bool(line.get(name)) for name in (*wanted, "labor_category")]
                    found.append(([*rank, line["valid_from"]], F(line["amount"]), line["unit"]))
            if found:
                found.sort(key=lambda each: each[0], reverse=True)
                return None if len(found) > 1 and found[0][0] == found[1][0] else found[0][1:]
        return None

    def round_minutes(self) -> None:
        """Rule 6, over the recorded minutes or those agreed (A2)."""
        agreed, terms = {}, self.e["rounding"]
        for a in sorted(self.facts["adjustments"], key=lambda a: (a["effective_on"], a["adjustment_id"])):
            if a["kind"] == "minutes" and a["status"] == "approved" and a["reason"] and a["source"]:
                if a.get("minutes") is not None and 0 <= a["minutes"] <= 1440:
                    agreed[a["subject"]] = a["minutes"]
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

    def price(self) -> None:
        """Rules 7, 8 and 10."""
        terms, retainer, so_far, left = self.e["multipliers"], self.e.get("retainer"), Counter[Any](), dict[int, int]()
        weekend, holiday, overtime = (F(terms.get(name) or 0) for name in ("weekend", "holiday", "overtime"))
        threshold = terms.get("overtime_after_minutes") if overtime else None
        discount, full_day = 1 - F(self.e["discount_percent"]) / 100, 60 * F(self.e["hours_per_day"])
        for w in self.works:
            w["amount"], own = F(0), w["more"] | {"billable_minutes": w["minutes"], "reason": "COVERED_BY_FEE"}
            w["more"] = own
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
            tail = max(0, min(free, beyond))
            is_weekend = date.fromisoformat(w["day"]).isoweekday() >= 6
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
            days = F(ceil(minutes / full_day)) if 2 * minutes > full_day else F(min(minutes, 1), 2)
            days = min(days, F(1)) if self.e["day_rule"] == "half_day_capped" else days
            parts = [days * w["weight"] / (minutes or 1) * w["price"] * discount for w in group]
            put(group, self.shares(sum(parts, F(0)), parts))

    def limit(self, claims: list[Rec], cap: Rec) -> None:
        """Rule 11: what the cap leaves of each claim."""
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

    def expense(self, subject: str, day: str, x: Rec) -> None:
        """E1 to E5."""
        amount, currency, markup, rule = F(x["amount"]), x["currency"], F(0), Rec()
        quantity, more = F(1 if x.get("quantity") is None else x["quantity"]), {"consultant_id": x["consultant_id"]}
        need(x["consultant_id"] and x["category"] and currency and quantity >= 0)
        if self.e.get("expense_policy_id"):
            rules = need(self.masters["expense-policies"].get(self.e["expense_policy_id"]))["rules"]
            rule = need(next((rule for rule in rules if rule["category"] == x["category"]), None))
            above, limit, markup = rule.get("receipt_above"), rule.get("limit"), F(rule["markup_percent"])
            need(rule["allowed"] and (above is None or amount <= F(above) or x.get("receipt")))
            if limit is not None:
                need(amount * self.exchange(currency, rule.get("limit_currency") or currency, day) <= F(limit))
        if rule.get("per_diem"):
            rate = need(self.per_diem(x.get("place"), rule["component"], day))
            most = quantity * F(rate["amount"])
            if rule["per_diem"] == "flat":
                amount, currency = most, rate["currency"]
            elif not self.free:
                amount = min(amount, most * self.exchange(rate["currency"], currency, day))
        if self.free:
            self.charge(subject, day, F(0), free=True, **more)
            return
        amount = self.rounded(amount * self.exchange(currency, self.currency, day) * (1 + markup / 100))
        claim = {"subject": subject, "day": day, "amount": amount, "tax": self.tax(day), "more": more, "covered": 0}
        self.claims.append(claim)

    def per_diem(self, place: str | None, component: str, day: str) -> Rec | None:
        found = []
        for rate in self.masters["per-diems"].values():
            texts = (rate.get("season_from") or "01-01", rate.get("season_to") or "12-31", day[5:])
            start, end, now = ("02-28" if text == "02-29" else text for text in texts)
            season = start <= now <= end if start <= end else now >= start or now <= end
            if place and (rate["place"], rate["component"]) == (place, component) and is_valid(rate, day) and season:
                found.append(rate)
        found.sort(key=lambda rate: str(rate["per_diem_id"]))
        return max(found, key=lambda rate: (rate["valid_from"], bool(rate.get("season_from"))), default=None)

    def exchange(self, base: str, quote: str, day: str) -> F:
        """E3."""
        factor = F(1) if base == quote else self.leg(base, quote, day)
        for middle in ("EUR", "USD"):
            if not factor and middle not in (base, quote):
                factor = self.leg(base, middle, day) * self.leg(middle, quote, day)
        return need(factor)

    def leg(self, base: str, quote: str, day: str) -> F:
        """The rate of a pair, direct or inverse; 0 for none."""
        until, found = date.fromisoformat(day), Rec()
        for r in self.masters["fx-rates"].values():
            pair, age = (r["base"], r["quote"]), (until - date.fromisoformat(r["date"])).days
            if 0 <= age <= 31 and pair in ((base, quote), (quote, base)):
                found[r["date"] + str(pair)] = (pair == (base, quote), r["date"], F(r["rate"]))
        direct, _, rate = max(found.values(), default=(True, "", F(0)))
        return rate if direct else 1 / rate

    def milestone(self, subject: str, day: str, fact: Rec) -> None:
        own = [m for m in self.e.get("milestones") or () if m["milestone_id"] == fact["milestone_id"]]
        self.charge(subject, day, self.rounded(F(need(own)[0]["amount"])), free=self.free)

    def adjustment(self, subject: str, day: str, a: Rec) -> None:
        if a["kind"] == "amount" and a["reason"] and a.get("amount") is not None:
            self.charge(subject, day, self.rounded(F(a["amount"])))

    def outcome(self, subject: str, day: str, o: Rec) -> None:
        terms = [t for t in self.e.get("outcomes") or () if t["metric"] == o["metric"]]
        need(terms and o["metric"] and F(o["quantity"]) >= 0)
        self.charge(subject, day, F(0), free=self.free)
        if not self.free:
            own = {"subject": subject, "month": day[:7], "terms": terms[0], "units": F(o["quantity"])}
            self.tallied.append({"metric": o["metric"], **own})

    def tiers(self, terms: Rec, units: list[F]) -> list[F]:
        """O3 to O5: the amounts of a month's outcomes of a metric."""
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

    def period(self, subject: str, first: str, period: Rec) -> None:
        """F1, F2 and rule 15."""
        days, month = days_of(period["period"]), period["period"]
        inside = sum(self.e["starts_on"] <= day <= (self.e.get("ends_on") or day) for day in days)
        terms = self.e.get(self.method) if self.method in ("retainer", "subscription") else None
        if self.e.get("minimum") and self.priced and period["status"] == "closed":
            time = [c["amount"] for c in self.out.values() if c["kind"] == "time" and c["period"] == month]
            amount = self.rounded(max(F(0), F(self.e["minimum"]["amount"]) - sum(time, F(0))))
            self.charge(f"minimum:{month}", first, amount, reason=None if amount else "MINIMUM_REACHED")
        if terms:
            share = F(inside, len(days)) if terms.get("proration") == "daily" else F(1)
            self.charge(subject, first, self.rounded(F(terms["monthly_fee"]) * share))


def days_of(period: str) -> list[str]:
    """The days of a month; none for a text that is no month."""
    if not re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", period) or period < "0001":
        return []
    first = date.fromisoformat(f"{period}-01").toordinal()
    return [day for n in range(31) if (day := date.fromordinal(first + n).isoformat())[:7] == period]


def sound(entry: Rec) -> bool:
    return bool(entry["task_id"] and entry["consultant_id"] and entry["source"]) and 0 <= entry["minutes"] <= 1440


def put(works: list[Rec], amounts: list[F]) -> None:
    for work, work["amount"] in zip(works, amounts, strict=True):
        pass


def avro(data: BytesIO, schema: Any) -> Any:  # noqa: ANN401 - a schema and what it describes
    """What bytes say by their schema: dates and instants as ISO texts, decimals as fractions."""
    kind, logical = (schema["type"], schema.get("logicalType")) if isinstance(schema, dict) else (schema, None)
    if kind in ("null", "boolean"):
        return data.read(1) == b"\1" if kind == "boolean" else None
    if kind == "record":
        return {field["name"]: avro(data, field["type"]) for field in schema["fields"]}
    number, shift, byte = 0, 0, 128
    while byte > 127:
        byte = data.read(1)[0]
        number, shift = number | (byte & 127) << shift, shift + 7
    number = number >> 1 ^ -(number & 1)  # a number, the place in an enum or a union, or a length
    if isinstance(schema, list):
        return avro(data, schema[number])
    if kind == "array":
        return [avro(data, schema["items"]) for _ in range(number)] + (avro(data, schema) if number else [])
    if kind == "enum" or (not logical and kind in ("int", "long")):
        return schema["symbols"][number] if kind == "enum" else number
    if kind in ("int", "long"):
        moment = datetime(1970, 1, 1) + timedelta(**{"days" if kind == "int" else "milliseconds": number})  # noqa: DTZ001
        return moment.date().isoformat() if kind == "int" else moment.isoformat(timespec="milliseconds") + "Z"
    read = data.read(number)
    return F(int.from_bytes(read, signed=True), 10 ** schema["scale"]) if logical else read.decode()


def document(data: bytes) -> Rec:
    """The row of an invoice as it is sealed, whose values are texts of PostgreSQL."""
    row = json.loads(data)
    lists = {name: re.findall(r'[^{},"]+', row[name]) for name in ("charges", "credits")}
    return row | lists | {name: json.loads(row[name]) for name in ("lines", "taxes", "seller", "buyer")}


def same(found: Any, shown: Any) -> bool:  # noqa: ANN401 - any value, and what JSON shows of it
    if isinstance(found, dict):
        return isinstance(shown, dict) and all(same(value, shown.get(name)) for name, value in found.items())
    if isinstance(found, list):
        return isinstance(shown, list) and len(found) == len(shown) and all(map(same, found, shown))
    return F(shown) == found if isinstance(found, F) and shown is not None else (found or None) == (shown or None)


def differences(charge: Rec | None, rules: Rec | None) -> list[str]:
    """In what a charge that stands is not what the rules give."""
    if charge is None or rules is None:
        return (
            []
            if charge is rules
            else ["is charged, and the rules do not"]
            if charge
            else ["is not charged, and the rules do"]
        )
    wrong = [name for name in COMPARED if not same(rules[name], charge[name])]
    return [f"{name} is {charge[name]}, the rules give {rules[name]}" for name in wrong]


def priced(minutes: int, net: F, agreed: F | None, currency: str) -> tuple[F, str, F]:
    """Quantity, unit and price of a line: hours at the agreed rate where that gives the net, else at what the net implies."""
    if not minutes or (net and (net < 0) != (minutes < 0)):
        return F(-1 if net < 0 else 1), "C62", abs(net)
    hours, quantity = F(minutes, 60), half_away(F(minutes, 60), 6)
    prices = [half_away(price, 6) for price in (agreed, abs(net / hours), abs(net / quantity)) if price is not None]
    return (
        quantity,
        "HUR",
        next((p for p in prices if half_away(p * quantity, DIGITS.get(currency, 2)) == net), prices[-1]),
    )


class Proof:
    """The checks of one bundle. `said` is what was checked, `faults` what is wrong, `left` what was not checked."""

    def __init__(self, files: Mapping[str, bytes], key: bytes, head: str | None) -> None:
        self.files, self.keys, self.said, self.faults, self.left = (
            files,
            {key, b""},
            list[str](),
            list[str](),
            list[str](),
        )
        self.invoice, self.manifest, self.schemas = (
            json.loads(files[f"{n}.json"]) for n in ("invoice", "manifest", "schemas")
        )
        self.facts, self.masters, self.charges, self.seals = map(self.records, ("facts", "masters", "charges", "seals"))
        self.heads, self.d, self.known = head or files["heads.txt"].decode(), self.invoice["value"], dict[float, Rec]()
        self.by_id: dict[str, Rec] = {record["value"]["charge_id"]: record["value"] for record in self.charges}
        self.blind = self.manifest["sealed_with_key"] and not key

    def records(self, name: str) -> list[Rec]:
        found = [json.loads(line) for line in self.files[f"{name}.jsonl"].splitlines()]
        return sorted(found, key=lambda r: (r["topic"], r["partition"], r.get("offset", r.get("end"))))

    def check(self, holds: object, fault: str) -> None:
        if not holds:
            self.faults.append(fault)

    def run(self) -> None:
        for name, digest in self.manifest["files"].items():
            self.check(
                hashlib.sha256(self.files.get(name, b"")).hexdigest() == digest, f"{name} is not as it was written."
            )
        for part in (self.check_charges, self.check_lineage, self.check_lines, self.check_totals, self.check_seals):
            part()

    def derived(self, until: float, engagement_id: str) -> dict[str, Rec]:
        """The charges that the facts known at an instant give."""
        if until not in self.known:
            masters, facts = winning([*self.masters, *self.facts], until)
            ids = self.manifest["engagements"]
            self.known[until] = {id_: Engagement(id_, masters, facts[id_]).settle() for id_ in ids}
        return self.known[until].get(engagement_id, {})

    def check_charges(self) -> None:
        """3.2, 3.3: the charges of a subject follow each other, and the one that stands is what the rules give."""
        standing, numbers, undone = (
            {id_: Rec() for id_ in self.manifest["engagements"]},
            Counter[Any](),
            dict[str, Rec](),
        )
        for c in self.by_id.values():
            where, what = (c["engagement_id"], c["subject"]), "reversal" if c["reverses"] else "charge"
            numbers[where] += what == "charge"
            name = json.dumps([*where, numbers[where], what], ensure_ascii=False, separators=(",", ":"))
            before = standing[where[0]].pop(where[1], None)
            fits = (
                c["charge_id"] == str(uuid.uuid5(NAMESPACE, name)) and (before or {}).get("charge_id") == c["reverses"]
            )
            if c["reverses"] and before:
                undone[c["reverses"]] = c
                fits = fits and same({n: -F(before[n]) if n in SIGNED else before[n] for n in COMPARED}, c)
            elif not c["reverses"]:
                standing[where[0]][where[1]] = c
            sums = [sum((F(part[n]) for part in c["components"]), F(0)) for n in ("amount", "minutes")]
            fits = fits and (not c["components"] or sums == [F(c["amount"]), c["billable_minutes"]])
            self.check(fits, f"The {what} {c['charge_id']} of {where[1]} does not follow from the one before it.")
        count = 0
        for id_, own in standing.items():
            now = self.derived(float("inf"), id_)
            count += len(now)
            for subject in sorted({*now, *own}):
                self.faults += [
                    f"{subject} of {id_}: {word}." for word in differences(own.get(subject), now.get(subject))
                ]
        self.said.append(f"{len(self.facts)} facts, settled anew, give {count} charges.")
        listed = set(self.d["charges"])
        past = [
            (self.by_id[id_], undo) for id_, undo in undone.items() if (id_ in listed) != (undo["charge_id"] in listed)
        ]
        for c, undo in past:
            first, last = (round(datetime.fromisoformat(each["decided_at"]).timestamp() * 1000) for each in (c, undo))
            between = {r["timestamp"] for r in [*self.masters, *self.facts] if first <= r["timestamp"] < last}
            moments = (last - 1, *sorted(between, reverse=True)[:50])
            if all(differences(c, self.derived(at, c["engagement_id"]).get(c["subject"])) for at in moments):
                words = f"{c['charge_id']} of {c['subject']} is not what the rules gave before it was reversed."
                (self.faults if c["lineage"]["rules_version"] == RULES_VERSION else self.left).append(words)
        self.said.append(f"{len(past)} charges reversed since were derived from what was known then.")

    def check_lineage(self) -> None:
        """3.5: the revisions that the charges name are in the bundle."""
        places = {(r["topic"], r["partition"], r["offset"]): r["value"] for r in self.facts}
        revisions = dict[tuple[Any, ...], Rec]()
        for r in self.masters:
            topic = r["topic"].removeprefix("master.")
            id_ = ":".join(r["value"][name] for name in MASTERS[topic].split(":"))
            revisions.setdefault((topic, id_, r["value"]["revision"]), r["value"])
        for c in self.by_id.values():
            named, subject = c["lineage"], c["subject"]
            fact = places.get((named["topic"], named["partition"], named["offset"]), {})
            own = [fact.get(n) for n in ("engagement_id", FACTS[named["topic"]].split(":")[0], "revision")]
            self.check(
                own == [c["engagement_id"], subject.partition(":")[2], named["revision"]],
                f"The fact of {subject} is not in the bundle.",
            )
            for m in named["masters"]:
                topic = f"{m['kind'].replace('_', '-')}s".replace("policys", "policies")
                record = revisions.get((topic, m["id"], m["revision"]), {})
                lines = [line for line in record.get("lines", ()) if line["line_id"] == m["line_id"]]
                fits = record and (not m["line_id"] or any(F(line["amount"]) == F(c["rate"]) for line in lines))
                self.check(
                    fits,
                    f"{subject} names {m['kind']} {m['id']} revision {m['revision']}, which the bundle has not so.",
                )

    def check_lines(self) -> None:
        """4.1, 4.2: the charges belong on one document, and its lines are their sums."""
        d, charges = self.d, [self.by_id[id_] for id_ in self.d["charges"] if id_ in self.by_id]
        self.check(len(charges) == len(d["charges"]), "A charge of the invoice is not in the bundle.")
        for c in charges:
            fits = all((c[n] or "") == (d[n] or "") for n in ("legal_entity", "client_id", "currency", "po_number"))
            fits = (
                fits
                and c["engagement_id"] in (d["engagement_id"] or c["engagement_id"],)
                and c["reason"] != "NON_BILLABLE"
            )
            fits = fits and (c["tax_category"] == "O") == (charges[0]["tax_category"] == "O")
            self.check(
                fits and c["work_date"] <= (self.invoice["cut_off"] or "9999"),
                f"{c['subject']} does not belong on this document.",
            )
        rows = [c | {"item": None if c["kind"] == "time" else c["subject"]} for c in charges]
        key = ("period", "kind", "task_id", "labor_category", "item", "tax_category")
        wanted = Counter[Any]()
        for group in grouped(
            rows,
            *key,
            "tax_rate",
            "rate",
            "rate_unit",
            "multiplier",
            "reason",
            *([] if d["engagement_id"] else ["engagement_id"]),
        ):
            net, minutes, c = sum(F(c["amount"]) for c in group), sum(c["billable_minutes"] for c in group), group[0]
            agreed = F(c["rate"]) * F(c["multiplier"]) if c["rate_unit"] == "hour" else None
            if net or minutes:
                row = (
                    *(c[n] or None for n in key),
                    F(c["tax_rate"]),
                    net,
                    *priced(minutes, net, agreed, d["currency"]),
                )
                wanted[row] += 1
        for line in d["lines"]:
            numbers = (F(line["tax_rate"]), F(line["net"]), F(line["quantity"]), line["unit"], F(line["price"]))
            row = (*(line[n.replace("item", "subject")] or None for n in key), *numbers)
            self.check(
                wanted[row] > 0, f"Line {line['line']} ({line['name']}, {line['net']}) is not the sum of its charges."
            )
            wanted[row] -= 1
        missing = sum(number for number in wanted.values() if number > 0)
        self.check(not missing, f"The charges give {missing} lines that the invoice has not so.")
        self.said.append(f"{len(d['lines'])} lines are the sums of {len(charges)} charges.")

    def check_totals(self) -> None:
        """4.4, 4.8: tax of each category and rate, totals, kind."""
        d, digits, bases = self.d, DIGITS.get(self.d["currency"], 2), Counter[tuple[str, F]]()
        for line in d["lines"]:
            bases[line["tax_category"], F(line["tax_rate"])] += F(line["net"])
        due = sorted((*by, base, half_away(base * by[1] / 100, digits)) for by, base in bases.items())
        given = sorted((t["category"], *(F(t[n]) for n in ("rate", "base", "amount"))) for t in d["taxes"])
        self.check(due == given, "The taxes are not those of the lines, by category and rate (BR-CO-17).")
        net, tax, rounding, payable = (F(d[n]) for n in ("net", "tax", "rounding", "payable"))
        self.check(net == sum(bases.values()), "The net total is not the sum of the lines (BR-CO-10).")
        self.check(tax == sum(row[3] for row in due), "The tax total is not the sum of the taxes (BR-CO-14).")
        self.check(
            payable == net + tax + rounding, "The payable amount is not net, tax and rounding (BR-CO-15, BR-CO-16)."
        )
        self.check(
            d["kind"] == ("credit_note" if payable < 0 else "invoice"), "A total below zero is a credit note (4.4)."
        )
        before = self.invoice["billed_before"]
        credited = {before.get(self.by_id[id_]["reverses"]) for id_ in d["charges"] if id_ in self.by_id} - {None}
        self.check(set(d["credits"]) == credited, "The invoices that it credits are not those of the charges reversed.")
        self.check(abs(rounding) <= F(2 * len(due) * len(credited), 10**digits), "The rounding is too large.")
        if rounding:
            self.left.append(
                f"The rounding of {d['rounding']} ties it to what it credits: it was held to its bounds only."
            )
        self.left.append("Names, addresses, the due date and what customers are told in words were not derived.")
        self.said.append(f"The totals follow from the lines: {d['net']} net, {d['payable']} {d['currency']} payable.")

    def check_seals(self) -> None:
        """The seals of charges, decisions and the document recomputed, and the heads of their chains."""
        sealed = [r for r in [*self.facts, *self.charges, self.invoice] if r["topic"] in SEALED]
        records, covered, ends = (
            {(r["topic"], r["partition"], r["offset"]): r for r in sealed},
            set[Any](),
            Counter[Any](),
        )
        for (topic, partition, offset), r in records.items():
            value = base64.b64decode(r["raw"]["value"])
            schema = self.schemas.get(str(int.from_bytes(value[1:5])))
            told = document(value) if topic.startswith("hourstream.") else avro(BytesIO(value[5:]), schema)
            self.check(
                same(told, r["value"]), f"{topic}[{partition}]@{offset} does not say what the bundle shows of it."
            )
        body, _, mac = self.heads.rpartition("mac ")
        self.check(
            self.blind or not self.seals or self.fits(mac.strip(), b"heads\0" + body.encode()),
            "The heads were altered.",
        )
        lines = re.findall(r"(?m)^(\S+) (\d+) end (\d+) records (\d+) hash (\w+)$", self.heads)
        heads = {
            (topic, int(partition)): (int(end), int(total), hash_) for topic, partition, end, total, hash_ in lines
        }
        for chain in grouped(self.seals, "topic", "partition"):
            where, last = (chain[0]["topic"], chain[0]["partition"]), (0, 0, "")
            named, ends_here = f"{where[0]}[{where[1]}]", set[Any]()
            for s in chain:
                added, digests = s["records"] - last[1], s.get("digests")
                fits = (s["start"], s["previous"]) == (last[0], last[2]) and added == len(
                    digests or range(max(added, 1))
                )
                last = (s["end"], s["records"], s["hash"])
                ends_here.add(last)
                for offset, digest in digests or ():
                    covered.add((*where, offset))
                    whole = (
                        self.blind or (*where, offset) not in records or self.fits(digest, raw(records[*where, offset]))
                    )
                    self.check(whole, f"{named}@{offset} was altered since it was sealed.")
                text = bytes.fromhex(s["previous"] + "".join(digest for _, digest in digests or ()))
                fits = fits and (self.blind or digests is None or self.fits(s["hash"], text))
                self.check(fits, f"{named}: the seal up to {s['end']} does not fit its records and the seal before it.")
            ends[where] = last[0]
            self.check(heads.get(where) in ends_here, f"{named}: the head is not that of its chain.")
        for place in sorted({*records} - covered):
            self.check(place[2] >= ends[place[:2]], f"{place[0]}[{place[1]}]@{place[2]} is in no seal of its chain.")
        if unsealed := len({*records} - covered):
            self.left.append(f"{unsealed} records are not sealed yet: nothing shows that they were not altered.")
        if self.blind:
            self.left.append(
                f"{len(self.seals)} seals were made with a key, which was not given: they were not recomputed."
            )
        self.said.append(
            f"{len(covered & {*records})} records are in {len(self.seals)} seals of {len(ends)} chains with their heads."
        )

    def fits(self, digest: str, data: bytes) -> bool:
        return any(hmac.new(key, data, "sha256").hexdigest() == digest for key in self.keys)


def raw(record: Rec) -> bytes:
    """All that Kafka keeps of a record, as it is sealed."""
    parts = [record["topic"].encode(), *(b"%d" % record[name] for name in ("partition", "offset", "timestamp"))]
    for name, text in [(None, record["raw"]["key"]), (None, record["raw"]["value"]), *record["raw"]["headers"]]:
        parts += [] if name is None else [name.encode()]
        parts.append(b"\0" if text is None else b"\1" + base64.b64decode(text))
    return b"".join(len(part).to_bytes(8) + part for part in parts)


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an invoice from the bundle of `hourstream prove`.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=Path, help="the file of the key that the seals were made with")
    parser.add_argument("--head", type=Path, help="heads of the chains that were kept elsewhere")
    given = parser.parse_args()
    try:
        if given.bundle.is_dir():
            files = {path.name: path.read_bytes() for path in given.bundle.iterdir() if path.is_file()}
        else:
            with zipfile.ZipFile(given.bundle) as archive:
                files = {name: archive.read(name) for name in archive.namelist()}
        key = given.key.read_bytes().strip() if given.key else b""
        proof = Proof(files, key, given.head.read_text() if given.head else None)
        proof.run()
    except (OSError, KeyError, ValueError, TypeError, ArithmeticError, IndexError, zipfile.BadZipFile) as error:
        print(f"The bundle cannot be read: {type(error).__name__}: {error}")
        return 1
    for sentence in [
        *proof.said,
        *(f"NOT CHECKED: {each}" for each in proof.left),
        *(f"FAULT: {each}" for each in proof.faults),
    ]:
        print(sentence)
    print(f"{proof.d['invoice_id']}: {len(proof.faults)} faults, {len(proof.left)} matters not checked.")
    return 1 if proof.faults else 0


if __name__ == "__main__":
    sys.exit(main())
