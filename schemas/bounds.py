"""The bounds of every record (DOMAIN.md §1.10), beyond its schema: one table and one check for all readers.

`faults` reports all faults of a record at once. A record with a fault is a dead letter: it changes nothing. The table
names fields by topic and path, those in lists without an index.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from common.iso_codes import COUNTRIES, MINOR_UNITS
from schemas.bound_checks import BoundRule, Bounds, Checker, Fault, checker, fault, row_checker
from schemas.schema_types import AvroRecord, Leaf, Text

MOST_ID, MOST_NAME, MOST_TEXT = 200, 500, 4_000  # characters
MOST_ELEMENTS, MOST_LINES = 500, 20_000
_MOST_SEALED = 6  # characters of ciphertext a character: four bytes, in base64, and the rest of the token below
_TOKEN = 200
UPSTREAM = "source."


def _between(low: int, high: int) -> BoundRule:
    return BoundRule(f"{low} <= $ <= {high}", f"give a number from {low} to {high}")


def _most(characters: int) -> BoundRule:
    return BoundRule(f"len($) <= {characters} or is_short($, {characters})", f"give at most {characters:,} characters")


def _list(least: int, most: int) -> BoundRule:
    return BoundRule(f"{least} <= len($) <= {most}", f"give {f'{least} to' if least else 'at most'} {most:,} elements")


_NO_NUL = BoundRule("'\\0' not in $", "leave out the character U+0000")
_OWN_ID = BoundRule(f"0 < len($) <= {MOST_ID}", f"give 1 to {MOST_ID} characters")
_SUMMED = _between(-(2**31), 2**31)
_NOT_NEGATIVE = BoundRule("$ >= 0", "give 0 or more")
_POSITIVE = BoundRule("$ > 0", "give more than 0")
_COUNTRY = BoundRule("$ in COUNTRIES", "give a code of ISO 3166-1 alpha-2, such as DE")
_CURRENCY = BoundRule("$ in CURRENCIES", "give a currency code of ISO 4217 that has a minor unit, such as EUR")
_SEASON = BoundRule("is_season_day($)", "give a day MM-DD, such as 04-01")

_BY_NAME: Mapping[str, BoundRule] = {
    "revision": BoundRule("$ >= 1", "give 1 or more"),
    "country": _COUNTRY,
    "seller_country": _COUNTRY,
    "currency": _CURRENCY,
    "limit_currency": _CURRENCY,
}
"""The bound of a field of this name in every fact, at any depth."""

_BY_PATH: Mapping[tuple[str, str], BoundRule] = {
    ("time.entries", "minutes"): _between(-100_000, 100_000),
    ("adjustments", "minutes"): _between(-100_000, 100_000),
    ("master.clients", "payment_terms_days"): _between(0, 3_650),
    ("master.engagements", "discount_percent"): _between(0, 100),
    ("master.engagements", "hours_per_day"): _between(1, 24),
    ("master.engagements", "rounding.increment_minutes"): _between(1, 1_440),
    ("master.engagements", "cap.amount"): _NOT_NEGATIVE,
    ("master.engagements", "minimum.amount"): _NOT_NEGATIVE,
    ("master.engagements", "blended_rate.amount"): _NOT_NEGATIVE,
    ("master.engagements", "milestones.amount"): _NOT_NEGATIVE,
    ("master.engagements", "multipliers.weekend"): _NOT_NEGATIVE,
    ("master.engagements", "multipliers.holiday"): _NOT_NEGATIVE,
    ("master.engagements", "multipliers.overtime_after_minutes"): _NOT_NEGATIVE,
    ("master.engagements", "multipliers.overtime"): _NOT_NEGATIVE,
    ("master.engagements", "retainer.included_minutes"): _NOT_NEGATIVE,
    ("master.engagements", "retainer.rollover_months"): _NOT_NEGATIVE,
    ("master.engagements", "retainer.monthly_fee"): _NOT_NEGATIVE,
    ("master.engagements", "subscription.monthly_fee"): _NOT_NEGATIVE,
    ("master.engagements", "outcomes.tiers.unit_price"): _NOT_NEGATIVE,
    ("master.engagements", "outcomes.tiers.flat_fee"): _NOT_NEGATIVE,
    ("master.engagements", "tax_override.rate"): _NOT_NEGATIVE,
    ("master.rate-cards", "lines.amount"): _NOT_NEGATIVE,
    ("master.expense-policies", "rules.markup_percent"): _between(-100, 1_000),
    ("master.per-diems", "amount"): _NOT_NEGATIVE,
    ("master.per-diems", "season_from"): _SEASON,
    ("master.per-diems", "season_to"): _SEASON,
    ("master.tax-rules", "rate"): _NOT_NEGATIVE,
    ("master.fx-rates", "rate"): _POSITIVE,
    ("master.fx-rates", "base"): _CURRENCY,
    ("master.fx-rates", "quote"): _CURRENCY,
    # Of what this system writes itself: sums over any number of records stay within 64 bits.
    ("billing.exceptions", "minutes"): _SUMMED,
    ("billing.ready", "worked_minutes"): _SUMMED,
    ("billing.ready", "billable_minutes"): _SUMMED,
}
_LISTS: Mapping[tuple[str, str], BoundRule] = {
    ("master.engagements", "outcomes.tiers"): _list(1, MOST_ELEMENTS),
    ("master.rate-cards", "lines"): _list(0, MOST_LINES),
}


def faults(topic: str, record: Mapping[str, object], own: tuple[str, ...], *, fact: bool) -> list[Fault]:
    """All faults of a record that fits the topic's schema, in the order of its fields; empty if there are none.

    `own` are the fields of its id and key. `fact` marks a fact of DOMAIN.md §1. On other topics only the ids and U+0000
    are checked: this system writes them itself, and their texts may be as long as the texts they quote. Raises
    UnknownSchema for a topic without a schema.
    """
    return _checker(topic, own, fact)(record)


def row_faults(topic: str, own: tuple[str, ...]) -> Callable[[tuple[Any, ...]], list[Fault]]:
    """`faults` of a fact given as its values in schema order (`schemas.codec.row_decoder`), for the busiest topics."""
    return row_checker(_shape(topic), _bounds(topic, own, fact=True))


@cache
def _checker(topic: str, own: tuple[str, ...], fact: bool) -> Checker:
    return checker(_shape(topic), _bounds(topic, own, fact=fact))


def _shape(topic: str) -> AvroRecord:
    # Imported when a record comes: the catalogue must start on contracts that are not released yet.
    from schemas import codec

    return codec.shape(topic)


def _bounds(topic: str, own: tuple[str, ...], *, fact: bool) -> Bounds:
    def leaf(path: str, name: str, shape: Leaf) -> tuple[BoundRule, ...]:
        rules = list(_text_rules(topic, path, name, own, fact=fact)) if isinstance(shape, Text) else []
        if rule := _BY_PATH.get((topic, path)) or (_BY_NAME.get(name) if fact else None):
            rules.append(rule)
        return tuple(rules)

    def items(path: str) -> BoundRule | None:
        if (rule := _LISTS.get((topic, path))) is not None:
            return rule
        return _list(0, MOST_ELEMENTS) if topic.startswith("master.") else None

    return Bounds(leaf, items, lambda path: _ACROSS.get((topic, path)), _HELPERS)


def _text_rules(topic: str, path: str, name: str, own: tuple[str, ...], *, fact: bool) -> Iterator[BoundRule]:
    if path in own:
        yield _OWN_ID
    elif _is_id(topic, name):
        yield _most(MOST_ID)
    elif fact and name == "name":
        yield _most(MOST_NAME)
    elif fact:
        yield _most(MOST_TEXT)
    yield _NO_NUL


def _is_id(topic: str, name: str) -> bool:
    if topic.startswith(UPSTREAM):
        return False  # what other systems call an id may be any text
    of_code_map = topic == "master.code-map" and name == "code"
    return name.endswith(("_id", "_ids")) or name in ("legal_entity", "holiday_calendar", "system") or of_code_map


def _is_short(text: str, most: int) -> bool:
    """Whether an encrypted text may be short enough in clear; the exact check precedes encryption."""
    return "sealed:person:" in text and len(text) <= _TOKEN + _MOST_SEALED * most


_SEASON_DAY = re.compile(
    r"(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9])"
)


def _is_season_day(text: str) -> bool:
    return _SEASON_DAY.fullmatch(text) is not None


def _season(record: Mapping[str, Any], at: str) -> list[Fault]:
    begins, ends = record.get("season_from"), record.get("season_to")
    if bool(begins) == bool(ends):  # an empty text is an absent one
        return []
    lacking = "season_to" if begins else "season_from"
    return [fault(f"{at}{lacking}", None, "give both days of a season or neither")]


def _tiers(outcome: Mapping[str, Any], at: str) -> list[Fault]:
    """up_to rises from tier to tier and is absent in none but the last."""
    found: list[Fault] = []
    tiers, below = outcome["tiers"], None
    for place, tier in enumerate(tiers):
        up_to: Decimal | None = tier["up_to"]
        path = f"{at}.tiers[{place}].up_to"
        if up_to is None and place < len(tiers) - 1:
            found.append(fault(path, None, "only the last tier may have no up_to"))
        elif up_to is not None and below is not None and up_to <= below:
            found.append(fault(path, up_to, f"give more than the {below} of the tier before"))
        below = up_to if up_to is not None else below
    return found


def _per_diem(rule: Mapping[str, Any], at: str) -> list[Fault]:
    if not rule.get("per_diem") or rule.get("component"):
        return []
    return [fault(f"{at}.component", None, "a rule with per_diem names its component")]


_ACROSS = {
    ("master.per-diems", ""): _season,
    ("master.engagements", "outcomes"): _tiers,
    ("master.expense-policies", "rules"): _per_diem,
}
_HELPERS: Mapping[str, object] = {
    "COUNTRIES": COUNTRIES,
    "CURRENCIES": frozenset(MINOR_UNITS),
    "is_short": _is_short,
    "is_season_day": _is_season_day,
}
