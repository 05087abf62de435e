"""Masters drawn choice by choice: all terms of DOMAIN §2, with values that lie near their edges."""

from collections.abc import Callable

from tests.unit.tables import contents
from tests.unit.tables.contents import ADDRESS, Content, Json
from tests.unit.tables.drawn import NOBODY, Bytes, Pick, World


def engagement(pick: Pick, world: World, engagement_id: str) -> Content:
    """A contract of any method, with any of the terms there are."""
    now_and_then: list[Json] = [
        {"status": "draft"},
        {"status": "closed"},
        {"on_hold_from": world.day(pick)},
        {"ends_on": world.day(pick)},
        {"starts_on": world.day(pick)},
        {"starts_on": "2024-02-03", "ends_on": "2024-02-01"},
        {"client_id": f"CL{NOBODY}"},
        {"rate_card_id": f"RC{NOBODY}"},
        {"expense_policy_id": f"P{NOBODY}"},
        {"holiday_calendar": f"K{NOBODY}"},
        {"tax_override": {"category": "E", "rate": "0", "reason": "education"}},
        {"seller_country": "FR", "seller_tax_jurisdiction": "FR"},
        {"seller_country": "US", "seller_tax_jurisdiction": "US"},
        {"name": "Renamed", "owner": "other@example.com"},
        {"milestones": [], "outcomes": []},
    ]
    method = pick(
        ["time_and_materials"] * 4 + ["retainer"] * 3 + ["outcome", "subscription", "fixed_fee", "non_billable"]
    )
    terms: Json = {
        "client_id": world.client_of(engagement_id),
        "billing_method": method,
        "currency": pick(["EUR"] * 8 + ["USD", "JPY", "KWD", "CLF"]),
        "rate_card_id": pick([None, None, "RC-2", "RC-2"]),
        "discount_percent": pick(["0", "0", "7.5"]),
        "cap": pick([None, None, *(_cap(*terms) for terms in _CAPS)]),
        "rounding": {
            "increment_minutes": pick([1, 6, 15, 30]),
            "mode": pick(["up", "nearest", "down"]),
            "scope": pick(["entry", "person_day"]),
        },
        "day_rule": pick(["prorata", "half_day_steps", "half_day_capped"]),
        "multipliers": pick([{}, {"weekend": "1.5", "holiday": "2"}, _overtime(300), _overtime(0), {"overtime": "3"}]),
        "holiday_calendar": pick([None, "K"]),
        "expense_policy_id": pick([None, "P"]),
        "outcomes": [_metric(pick, "calls"), _metric(pick, "users")],
        "amount_rounding": pick([None, None, "cumulative", "entry"]),
        "minimum": pick([None, None, {"amount": "500.005"}, {"amount": "60"}]),
        "late_policy": pick([None, "park", "next_invoice"]),
        "blended_rate": pick([*[None] * 6, {"amount": "99.99", "unit": "hour"}, {"amount": "801", "unit": "day"}]),
    }
    if method == "retainer":
        terms["retainer"] = pick(
            [_retainer(300, 1, "500"), _retainer(60, 0, "0"), _retainer(700, 2, "99.99") | {"proration": "daily"}, None]
        )
    if method == "subscription":
        terms["subscription"] = {"monthly_fee": "99.99", "proration": pick(["daily", "whole", None])}
    return contents.engagement(engagement_id, **terms | pick([{}] * 80 + now_and_then))


_CAPS = (
    ("300", "park", "time_and_expenses"),
    ("900.005", "park", "time"),
    ("250", "absorb", "time_and_expenses"),
    ("250", "absorb", None),
    ("300", "park", None),
)


def _cap(amount: str, policy: str, scope: str | None) -> Json:
    return {"amount": amount, "policy": policy, "scope": scope}


def _overtime(after_minutes: int) -> Json:
    return {"weekend": "1.25", "overtime_after_minutes": after_minutes, "overtime": "1.75"}


def _retainer(included_minutes: int, rollover_months: int, fee: str) -> Json:
    return {"included_minutes": included_minutes, "monthly_fee": fee, "rollover_months": rollover_months}


def _metric(pick: Pick, metric: str) -> Json:
    tiers = pick([[("10", "2", "3"), (None, "0.505", "0")], [("8", "2", "3"), ("40", "1", "7"), (None, "0.5", "50")]])
    priced = [{"up_to": up_to, "unit_price": price, "flat_fee": fee} for up_to, price, fee in tiers]
    return {"metric": metric, "model": pick(["volume", "graduated", "per_unit"]), "tiers": priced}


def client(pick: Pick, client_id: str) -> Content:
    """A client in the seller's country, elsewhere in the EU, or beyond it."""
    country, jurisdiction, vat_id = pick(
        [("DE", "DE", None)] * 4
        + [
            ("GR", "FR", "EL 123.456-789"),
            ("DE", "FR", None),
            ("FR", "FR", None),
            ("FR", "FR", "FR1"),
            ("FR", "FR", "fr12 345678901"),
            ("US", "US", None),
        ]
    )
    topic, value = contents.client(jurisdiction)
    changed = {"client_id": client_id, "country": country, "vat_id": vat_id, "region": pick(["EMEA", "AMER"])}
    return topic, value | changed | {"default_rate_card_id": pick([*[None] * 6, "RC-2", f"RC{NOBODY}"])}


def rate_card(pick: Pick, world: World, card_id: str = "RC") -> Content:
    """A card with lines an hour and a day, of several specificities, some valid for a while only, some ambiguous."""
    hourly, later = pick(["100.01", "90", "120.5"]), world.day(pick)
    lines: list[Json] = [
        {"line_id": "1", "unit": "hour", "amount": hourly, "valid_from": "2020-01-01", "valid_to": pick([None, later])},
        {"line_id": "2", "unit": "day", "amount": "800.05", "labor_category": "Engineer", "valid_from": "2020-01-01"},
        {"line_id": "3", "unit": "hour", "amount": "77.7", "consultant_id": world.consultants[0], "valid_from": later},
        {"line_id": "4", "unit": "day", "amount": "640", "labor_category": "Junior", "valid_from": later},
        {"line_id": "5", "unit": "hour", "amount": "50", "valid_from": pick([later, "2020-01-01"])},
        {"line_id": "6", "unit": "hour", "amount": "66.6", "task_id": f"{world.engagements[0]}-T1"}
        | pick([{}, {"labor_category": "Junior"}, {"consultant_id": world.consultants[0]}])
        | {"valid_from": pick(["2020-01-01", later])},
        {"line_id": "7", "unit": pick(["hour", "day"]), "amount": "333.333", "consultant_id": world.consultants[0]}
        | {"labor_category": pick(["Engineer", ""]), "valid_from": "2020-01-01"},
    ]
    value = {"rate_card_id": card_id, "name": card_id, "currency": pick(["EUR", "EUR", "EUR", "USD"])}
    kept = lines[: pick([1, 2, 3, 4, 5, 6, 7])]
    return "master.rate-cards", value | {"is_firm_default": pick([True, card_id == "RC"]), "lines": kept}


def task(pick: Pick, world: World, engagement_id: str, number: int) -> Content:
    """A task: open or closed on some day, billable or not, with a category of its own or none."""
    category = pick([None, None, "Engineer"])
    closed_on = pick([None, None, world.day(pick)])
    return contents.task(
        engagement_id, number, billable=pick([True, True, True, False]), closed_on=closed_on, labor_category=category
    )


def consultant(pick: Pick, world: World, consultant_id: str) -> Content:
    """A consultant with no grade, with one, or with another from some day on."""
    grades: list[Json] = [
        {"valid_from": "2020-01-01", "labor_category": "Engineer", "valid_to": pick([None, world.day(pick)])},
        {"valid_from": world.day(pick), "labor_category": "Junior"},
    ]
    value = {"consultant_id": consultant_id, "name": consultant_id, "region": "EMEA"}
    return "master.consultants", value | {"grades": grades[: pick([1, 1, 2, 0])]}


def tax_rule(pick: Pick, world: World) -> Content:
    """A rule of one of a few names, valid for good, or from or until some day."""
    topic, value = contents.tax_rule(
        pick(["19", "16", "7.7"]), pick(["TX2", "TX3", "FR", "TX"]), pick(["DE", "DE", "DE", "FR"])
    )
    valid_from, valid_to = pick(["2000-01-01", world.day(pick)]), pick([None, None, world.day(pick)])
    return topic, value | {"valid_from": valid_from, "valid_to": valid_to, "category": pick(["S", "S", "S", "E"])}


def fx_rate(pick: Pick, world: World) -> Content:
    """A rate of some day, too old for others."""
    base, quote = pick([("EUR", "USD"), ("USD", "EUR"), ("EUR", "JPY"), ("USD", "KWD"), ("EUR", "KWD")])
    day = pick(["2024-01-15", "2023-12-31", world.day(pick)])
    value = {"base": base, "quote": quote, "date": day, "rate": pick(["1.1", "0.925", "161.123456789012"])}
    return "master.fx-rates", value


def policy(pick: Pick) -> Content:
    """What is paid: travel with or without limits, meals or none."""
    travel = {
        "category": "travel",
        "allowed": True,
        "limit": pick([None, "50", "100"]),
        "limit_currency": pick([None, "EUR", "USD"]),
        "receipt_above": pick([None, "25"]),
        "markup_percent": pick(["0", "12.5"]),
    }
    meals = {"category": "meals", "allowed": pick([True, False]), "markup_percent": "0"}
    lodging = {"category": "lodging", "allowed": True, "markup_percent": "5"} | _by_the_day(pick, "lodging")
    rules = [travel, meals | _by_the_day(pick, "meals"), lodging]
    return "master.expense-policies", {"expense_policy_id": "P", "rules": rules[: pick([3, 2, 1])]}


def _by_the_day(pick: Pick, component: str) -> Json:
    return pick([{}, {"per_diem": "flat", "component": component}, {"per_diem": "up_to", "component": component}])


def per_diem(pick: Pick, world: World) -> Content:
    """A rate of some place, of all year or a season, for good or from some day."""
    season_from, season_to = pick([(None, None), ("11-01", "01-31"), ("02-01", "02-29"), ("02-29", "01-30"), ("", "")])
    value = {
        "per_diem_id": pick(["PD-1", "PD-2", "PD-3", "PD-4"]),
        "place": pick(["Boston", "Boston", "Salem"]),
        "component": pick(["meals", "lodging"]),
        "currency": pick(["USD", "EUR", "JPY"]),
        "amount": pick(["68", "120.555"]),
        "season_from": season_from,
        "season_to": season_to,
        "valid_from": pick(["2020-01-01", world.day(pick)]),
        "valid_to": pick([None, None, world.day(pick)]),
    }
    return "master.per-diems", value


def calendar(pick: Pick, world: World) -> Content:
    """A holiday or two."""
    return "master.calendars", {"calendar_id": "K", "holidays": [world.day(pick), world.day(pick)][: pick([1, 2, 0])]}


def legal_entity(pick: Pick) -> Content:
    """The seller, whose name no charge depends on."""
    value = {"legal_entity_id": "Compass", "name": pick(["Compass", "North"]), "country": "DE"}
    return "master.legal-entities", value | {"tax_jurisdiction": "DE", "address": ADDRESS}


def code(pick: Pick) -> Content:
    """What another system calls a consultant."""
    value = {"system": "tock", "kind": "consultant", "code": "17", "canonical_id": pick(["C1", "C2"])}
    return "master.code-map", value


def first_masters(pick: Pick, world: World) -> list[Content]:
    """All that is needed, once."""
    of_engagements = [
        each
        for name in world.engagements
        for each in (engagement(pick, world, name), contents.task(name), task(pick, world, name, 2))
    ]
    plain = Bytes(b"")
    return [
        *of_engagements,
        *(client(plain if name == "CL" else pick, name) for name in world.clients),
        *(consultant(pick, world, name) for name in world.consultants),
        contents.tax_rule("19"),
        contents.tax_rule("20", "FR", "FR"),
        rate_card(plain, world),
        rate_card(pick, world, "RC-2"),
        fx_rate(plain, world),
        policy(pick),
        per_diem(pick, world),
        per_diem(pick, world),
        calendar(pick, world),
    ]


def changed_master(pick: Pick, world: World) -> Content:
    """A revision of any master there is: of a contract as often as of all others."""
    name = pick(world.engagements)
    makers: list[Callable[[], Content]] = [
        *[lambda: engagement(pick, world, name)] * 10,
        lambda: client(pick, pick(world.clients)),
        lambda: rate_card(pick, world, pick(["RC", "RC-2"])),
        lambda: task(pick, world, name, pick([1, 2])),
        lambda: consultant(pick, world, pick(world.consultants)),
        lambda: tax_rule(pick, world),
        lambda: fx_rate(pick, world),
        lambda: policy(pick),
        lambda: per_diem(pick, world),
        lambda: calendar(pick, world),
        lambda: legal_entity(pick),
        lambda: code(pick),
    ]
    return pick(makers)()
