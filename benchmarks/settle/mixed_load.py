"""A month end of a firm whose engagements are of all kinds, in random order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from schemas.codec import encode
from schemas.json_codec import from_json

Json = dict[str, object]
Master = tuple[str, str, Json]  # topic, id, value in its JSON form
ENGAGEMENTS, CONSULTANTS, DAYS = 154, 120, 60
FIRST_DAY = date(2024, 2, 1)
RATE, MEAN_MINUTES = 100, 120
STAMP: Json = {"source": "bench", "revision": 1, "occurred_at": "2024-01-01T00:00:00.000Z"}
_TIERS = [{"up_to": "400", "unit_price": "2", "flat_fee": "10"}, {"unit_price": "1.255", "flat_fee": "0"}]
_RETAINER: Json = {"included_minutes": 30_000, "monthly_fee": "4000", "rollover_months": 1}
_TO_A_MINUTE: Json = {"increment_minutes": 1, "mode": "up", "scope": "entry"}
_PERSON_DAY: Json = {"increment_minutes": 15, "mode": "up", "scope": "person_day"}

# Terms by the name of a kind. `CAP` stands for some 70 % of what the engagement's time comes to.
CAP = "CAP"
KINDS: dict[str, Json] = {
    "plain": {},
    "plain, discounted": {"discount_percent": "7.5"},
    "overtime": {"multipliers": {"overtime_after_minutes": 300, "overtime": "1.5", "weekend": "1.25"}},
    "person-day rounding": {"rounding": _PERSON_DAY},
    "cap": {"cap": {"amount": CAP, "policy": "park"}},
    "cap, absorbed": {"cap": {"amount": CAP, "policy": "absorb"}},
    "cap on expenses too": {"cap": {"amount": CAP, "policy": "park", "scope": "time_and_expenses"}},
    "retainer": {"billing_method": "retainer", "retainer": _RETAINER},
    "retainer and cap": {"billing_method": "retainer", "retainer": _RETAINER, "cap": {"amount": CAP, "policy": "park"}},
    "minimum": {"minimum": {"amount": "250000"}},
    "cumulative": {
        "amount_rounding": "cumulative",
        "rounding": {"increment_minutes": 1, "mode": "up", "scope": "entry"},
    },
    "cap, cumulative, minimum": {
        "cap": {"amount": CAP, "policy": "park"},
        "amount_rounding": "cumulative",
        "minimum": {"amount": "250000"},
    },
    "half days and cap": {"day_rule": "half_day_steps", "cap": {"amount": CAP, "policy": "park"}},
    "fixed fee with outcomes": {
        "billing_method": "outcome",
        "outcomes": [{"metric": "calls", "model": "graduated", "tiers": _TIERS}],
    },
}


@dataclass(frozen=True)
class Load:
    """What is published: masters first, then (topic, key, value) of the facts in random order."""

    masters: list[Master]
    facts: list[tuple[str, bytes, bytes]]


def load(count: int, seed: int) -> Load:
    """`count` facts. Some engagements are ten times as large as others."""
    random = Random(seed)  # noqa: S311 - a load that can be made again
    weights = [1 / (1 + n // len(KINDS)) for n in range(ENGAGEMENTS)]
    of_each = random.choices(range(ENGAGEMENTS), weights, k=count)
    sizes = [of_each.count(n) for n in range(ENGAGEMENTS)]
    facts = [_fact(random, n, number) for number, n in enumerate(of_each)]
    facts += [_period(n, month) for n in range(ENGAGEMENTS) for month in ("2024-02", "2024-03")]
    random.shuffle(facts)
    return Load([*_masters(sizes)], facts)


def kind_of(engagement: int) -> str:
    """The name of an engagement's kind."""
    return list(KINDS)[engagement % len(KINDS)]


def _fact(random: Random, engagement: int, number: int) -> tuple[str, bytes, bytes]:
    name, day = f"E{engagement:03}", (FIRST_DAY + timedelta(random.randrange(DAYS))).isoformat()
    status: Json = {"status": "approved", **STAMP}
    value: Json
    kind, chance = kind_of(engagement), random.random()
    if kind == "fixed fee with outcomes" and chance < 0.3:
        value = {"outcome_id": f"o{number}", "engagement_id": name, "metric": "calls", "quantity": "1.5"}
        return _encoded("outcomes", name, value | {"achieved_on": day} | status)
    if chance < 0.04:
        value = {"expense_id": f"x{number}", "engagement_id": name, "consultant_id": "C1", "category": "travel"}
        return _encoded("expenses", name, value | {"incurred_on": day, "amount": "25.5", "currency": "USD"} | status)
    value = {
        "entry_id": f"t{number}", "engagement_id": name, "task_id": f"T-{name}", "work_date": day, "billable": True,
        "consultant_id": f"C{random.randrange(CONSULTANTS)}", "minutes": random.randrange(2 * MEAN_MINUTES),
    }  # fmt: skip
    return _encoded("time.entries", name, value | status)


def _period(engagement: int, month: str) -> tuple[str, bytes, bytes]:
    name = f"E{engagement:03}"
    return _encoded("billing.periods", name, {"engagement_id": name, "period": month, "status": "closed", **STAMP})


def _encoded(topic: str, key: str, value: Json) -> tuple[str, bytes, bytes]:
    return topic, key.encode(), encode(topic, from_json(topic, value))


def _masters(sizes: list[int]) -> Iterator[Master]:
    yield "master.clients", "CL", {
        "client_id": "CL", "name": "Client", "country": "US", "region": "AMER", "tax_jurisdiction": "US",
        "currency": "USD", "payment_terms_days": 30, **STAMP,
    }  # fmt: skip
    yield "master.tax-rules", "US", {
        "tax_rule_id": "US", "jurisdiction": "US", "category": "O", "rate": "0", "valid_from": "2015-01-01", **STAMP,
    }  # fmt: skip
    line = {"line_id": "1", "unit": "hour", "amount": str(RATE), "valid_from": "2015-01-01"}
    by_day = {"line_id": "2", "unit": "day", "amount": str(8 * RATE), "valid_from": "2015-01-01"}
    for card, lines in (("RC", [line]), ("RC-DAY", [by_day])):
        yield "master.rate-cards", card, {
            "rate_card_id": card, "name": card, "currency": "USD", "is_firm_default": card == "RC", "lines": lines,
            **STAMP,
        }  # fmt: skip
    for n in range(CONSULTANTS):
        yield "master.consultants", f"C{n}", {
            "consultant_id": f"C{n}", "name": "-", "region": "AMER", "grades": [], **STAMP,
        }  # fmt: skip
    for n, size in enumerate(sizes):
        name = f"E{n:03}"
        yield "master.engagements", name, _engagement(n, size)
        yield "master.tasks", f"T-{name}", {
            "task_id": f"T-{name}", "engagement_id": name, "code": "T", "name": "Task", "billable": True, **STAMP,
        }  # fmt: skip


def _engagement(n: int, size: int) -> Json:
    terms = dict(KINDS[kind_of(n)])
    cap = terms.get("cap")
    if isinstance(cap, dict):
        terms["cap"] = cap | {"amount": str(size * MEAN_MINUTES * RATE * 7 // 600)}
    return {
        "engagement_id": f"E{n:03}", "client_id": "CL", "name": kind_of(n), "status": "active",
        "starts_on": "2024-01-01", "currency": "USD", "legal_entity": "LE", "seller_country": "US",
        "seller_tax_jurisdiction": "US", "billing_method": "time_and_materials", "discount_percent": "0",
        "hours_per_day": "8", "day_rule": "prorata", "multipliers": {}, "milestones": [], "outcomes": [],
        "rounding": {"increment_minutes": 15, "mode": "up", "scope": "entry"}, "owner": "owner@example.com",
        "rate_card_id": "RC-DAY" if "half" in kind_of(n) else None, **STAMP, **terms,
    }  # fmt: skip
