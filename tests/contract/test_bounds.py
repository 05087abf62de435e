"""Every bound of DOMAIN §1.10: what is on it is taken, what is beyond it is refused with field, value and remedy."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sound_records import sound

from common.errors import InvalidRecord
from common.iso_codes import COUNTRIES, MINOR_UNITS
from schemas import codec
from schemas.bound_checks import Fault
from schemas.bounds import row_faults
from schemas.schema_types import AvroRecord, Optional, Text
from topics.catalogue import FACTS, MASTERS, TOPICS, check, faults, key_of, own_fields

WITH_SCHEMA = sorted(topic.name for topic in TOPICS.values() if topic.subject)
ENGAGEMENT, CLIENT, CARD, RULE = "master.engagements", "master.clients", "master.rate-cards", "master.tax-rules"
POLICY, FX, DIEM = "master.expense-policies", "master.fx-rates", "master.per-diems"
MOST = 2**63 - 1
TIER = {"up_to": None, "unit_price": Decimal(1), "flat_fee": Decimal(0)}
LINE = sound(CARD)["lines"][0]


def found(topic: str, record: dict[str, Any]) -> list[Fault]:
    return faults(topic, key_of(topic, record).encode(), record)


def changed(topic: str, path: str, value: object) -> dict[str, Any]:
    """A sound record with another value at a path; of a list it is the first element's."""
    record = sound(topic)
    *outer, last = path.split(".")
    at = record
    for name in outer:
        at = at[name][0] if isinstance(at[name], list) else at[name]
    at[last] = value
    return record


# (topic, path, values on the bound, values beyond it)
NUMBERS: list[tuple[str, str, list[object], list[object]]] = [
    ("time.entries", "minutes", [-100_000, 0, 100_000], [-100_001, 100_001, MOST, -(2**63), 2**62]),
    ("adjustments", "minutes", [-100_000, 0, 100_000], [-100_001, 100_001, MOST, -(2**63)]),
    ("billing.exceptions", "minutes", [-(2**31), 2**31], [MOST, -(2**63)]),
    ("billing.ready", "worked_minutes", [-(2**31), 2**31], [2**31 + 1, -(2**63)]),
    ("billing.ready", "billable_minutes", [-(2**31), 2**31], [MOST, -(2**31) - 1]),
    (CLIENT, "payment_terms_days", [0, 3_650], [-1, 3_651, 2_147_483_647]),
    (ENGAGEMENT, "discount_percent", [0, 100, "99.999999"], ["-0.000001", "100.000001"]),
    (ENGAGEMENT, "hours_per_day", [1, 24], ["0.999999", "24.000001", 0]),
    (ENGAGEMENT, "rounding.increment_minutes", [1, 1_440], [0, 1_441, -15, MOST]),
    (ENGAGEMENT, "cap.amount", [0], ["-0.000001"]),
    (ENGAGEMENT, "minimum.amount", [0], ["-0.01"]),
    (ENGAGEMENT, "blended_rate.amount", [0], ["-0.01"]),
    (ENGAGEMENT, "milestones.amount", [0], ["-0.01"]),
    (ENGAGEMENT, "retainer.monthly_fee", [0], ["-0.01"]),
    (ENGAGEMENT, "retainer.included_minutes", [0, MOST], [-1]),
    (ENGAGEMENT, "retainer.rollover_months", [0, MOST], [-1]),
    (ENGAGEMENT, "subscription.monthly_fee", [0], ["-0.01"]),
    (ENGAGEMENT, "multipliers.weekend", [0], ["-1"]),
    (ENGAGEMENT, "multipliers.holiday", [0], ["-1"]),
    (ENGAGEMENT, "multipliers.overtime", [0], ["-1"]),
    (ENGAGEMENT, "multipliers.overtime_after_minutes", [0], [-1]),
    (ENGAGEMENT, "outcomes.tiers.unit_price", [0], ["-0.01"]),
    (ENGAGEMENT, "outcomes.tiers.flat_fee", [0], ["-0.01"]),
    (ENGAGEMENT, "tax_override.rate", [0], ["-0.01"]),
    (CARD, "lines.amount", [0], ["-0.01"]),
    (POLICY, "rules.markup_percent", [-100, 1_000], ["-100.01", "1000.01"]),
    (RULE, "rate", [0], ["-0.01"]),
    (FX, "rate", ["0.000000000001"], [0, "-1"]),
    (DIEM, "amount", [0], ["-0.01"]),
]
CODES: list[tuple[str, str, list[object], list[object]]] = [
    (CLIENT, "country", ["DE", "GB", "GR"], ["UK", "EL", "XX", "de", "DEU", ""]),
    (CLIENT, "address.country", ["DE"], ["UK"]),
    (ENGAGEMENT, "seller_country", ["US"], ["USA"]),
    (CLIENT, "currency", ["EUR", "XCG", "BYR", "CLF"], ["XAU", "XTS", "XXX", "eur", "EURO", ""]),
    (ENGAGEMENT, "currency", ["JPY"], ["XAG"]),
    ("expenses", "currency", ["KWD"], ["BTC"]),
    (POLICY, "rules.limit_currency", ["EUR", "", None], ["XXX"]),
    (FX, "base", ["EUR"], ["XAU"]),
    (FX, "quote", ["USD"], ["XAU"]),
    (DIEM, "season_from", ["02-29", "01-01", "12-31"], ["02-30", "13-01", "00-01", "1-1", "04-31", "2024-04-01"]),
]


def typed(topic: str, path: str, value: object) -> object:
    """A number as the schema's type has it."""
    record, *names = sound(topic), *path.split(".")
    at: Any = record
    for name in names:
        at = at[0] if isinstance(at, list) else at
        at = at[name]
    return Decimal(str(value)) if isinstance(at, Decimal) else value


@pytest.mark.parametrize(
    ("topic", "path", "on", "beyond"), [*NUMBERS, *CODES], ids=lambda x: x if isinstance(x, str) else None
)
def test_a_value_on_the_bound_is_taken_and_one_beyond_is_refused(
    topic: str, path: str, on: list[object], beyond: list[object]
) -> None:
    for value in on:
        assert found(topic, changed(topic, path, typed(topic, path, value))) == []
    for value in beyond:
        (fault,) = found(topic, changed(topic, path, typed(topic, path, value)))
        assert fault.path.replace("[0]", "") == path
        assert fault.remedy.startswith("give ")


def texts(record: AvroRecord, path: str = "") -> list[str]:
    """The paths of the texts of a record, not of those in lists."""
    found: list[str] = []
    for member in record.fields:
        shape = member.shape.inner if isinstance(member.shape, Optional) else member.shape
        name = f"{path}{member.name}"
        if isinstance(shape, Text):
            found.append(name)
        elif isinstance(shape, AvroRecord):
            found += texts(shape, f"{name}.")
    return found


@pytest.mark.parametrize("topic", WITH_SCHEMA)
def test_no_text_of_any_topic_may_hold_u_0000(topic: str) -> None:
    for path in texts(codec.shape(topic)):
        assert path in {fault.path for fault in found(topic, changed(topic, path, "nu\0l"))}


@pytest.mark.parametrize("topic", sorted(FACTS))
def test_ids_are_of_1_to_200_characters_names_of_500_and_other_texts_of_4000(topic: str) -> None:
    own = set(own_fields(topic))
    for path in texts(codec.shape(topic)):
        name = path.rpartition(".")[2]
        if name in ("currency", "base", "quote") or name.endswith("country") or name.startswith("season_"):
            continue
        is_id = name.endswith("_id") or name in ("legal_entity", "holiday_calendar", "system")
        is_id = is_id or path in own or (topic, path) == ("master.code-map", "code")
        most = 200 if is_id else 500 if name == "name" else 4_000
        # A character is a code point, whatever its bytes. A key made of several ids is one too, so it is let out here.
        paths = {fault.path for fault in found(topic, changed(topic, path, "𝔘" * most))} - {"the key"}
        assert paths == set()
        assert path in {fault.path for fault in found(topic, changed(topic, path, "𝔘" * (most + 1)))}
        empty = {fault.path for fault in found(topic, changed(topic, path, ""))}
        assert empty == ({path} if path in own else set())


def test_a_key_made_of_several_ids_has_200_characters_too() -> None:
    code = sound("master.code-map", system="s" * 90, kind="task", code="c" * 104)
    assert found("master.code-map", code) == []
    (fault,) = found("master.code-map", code | {"code": "c" * 105})
    assert (fault.path, fault.remedy) == ("the key", "give at most 200 characters")


def test_lists_of_masters_have_500_elements_and_lines_of_a_card_20000() -> None:
    assert found(CARD, sound(CARD, lines=[LINE] * 20_000)) == []
    assert [f.path for f in found(CARD, sound(CARD, lines=[LINE] * 20_001))] == ["lines"]
    days = [date(2024, 1, 1)]
    assert found("master.calendars", sound("master.calendars", holidays=days * 500)) == []
    assert [f.path for f in found("master.calendars", sound("master.calendars", holidays=days * 501))] == ["holidays"]
    for topic in MASTERS:
        for member in codec.shape(topic).fields:
            items = sound(topic)[member.name]
            if isinstance(items, list) and member.name != "lines":
                assert member.name in [f.path for f in found(topic, sound(topic, **{member.name: items * 501}))]


def of_tiers(*ends: object) -> list[Fault]:
    tiers = [TIER | {"up_to": None if end is None else Decimal(str(end))} for end in ends]
    return found(ENGAGEMENT, sound(ENGAGEMENT, outcomes=[{"metric": "m", "model": "volume", "tiers": tiers}]))


def test_tiers_rise_and_only_the_last_is_open() -> None:
    assert of_tiers(10, 20, None) == of_tiers(None) == of_tiers(10) == of_tiers(*range(1, 501)) == []
    assert [f.path for f in of_tiers()] == ["outcomes[0].tiers"]
    assert [f.path for f in of_tiers(*range(1, 502))] == ["outcomes[0].tiers"]
    assert [f.path for f in of_tiers(None, 20)] == ["outcomes[0].tiers[0].up_to"]
    assert [f.path for f in of_tiers(10, 10)] == ["outcomes[0].tiers[1].up_to"]
    assert [f.path for f in of_tiers(20, 10, None)] == ["outcomes[0].tiers[1].up_to"]


def test_a_season_has_both_days_or_none() -> None:
    assert found(DIEM, sound(DIEM, season_from=None, season_to="")) == []
    assert [f.path for f in found(DIEM, sound(DIEM, season_from=None))] == ["season_from"]
    assert [f.path for f in found(DIEM, sound(DIEM, season_to=None))] == ["season_to"]


def test_a_policy_rule_with_per_diem_has_a_component() -> None:
    (fault,) = found(POLICY, changed(POLICY, "rules.component", None))
    assert fault.path == "rules[0].component"
    rule = sound(POLICY)["rules"][0] | {"per_diem": None, "component": None}
    assert found(POLICY, sound(POLICY, rules=[rule])) == []


def test_an_encrypted_text_is_held_to_the_length_it_had_in_clear() -> None:
    sealed = f"sealed:person:{'a' * 26}:{'B' * 21_500}"  # 4,000 characters of four bytes
    assert found("time.entries", sound("time.entries", note=sealed)) == []
    (fault,) = found("time.entries", sound("time.entries", note=sealed + "B" * 3_000))
    assert fault.path == "note"


def test_all_faults_are_told_at_once_with_short_values() -> None:
    entry = sound("time.entries", minutes=MOST, note="n" * 450_000, revision=0, task_id="a\0b")
    with pytest.raises(InvalidRecord) as refused:
        check("time.entries", b"other", entry)
    said = str(refused.value)
    for part in (
        "the key is 'other': give the value's own, 'x'",
        r"task_id is 'a\x00b': leave out the character U+0000",
        "minutes is 9223372036854775807: give a number from -100000 to 100000",
        "(450,000 characters): give at most 4,000 characters",
        "revision is 0: give 1 or more",
    ):
        assert part in said
    assert len(said) < 1_000


def test_faults_of_a_large_list_do_not_fill_a_message() -> None:
    with pytest.raises(InvalidRecord, match="and 19,980 more") as refused:
        check(CARD, b"x", sound(CARD, lines=[LINE | {"amount": Decimal(-1)}] * 20_000))
    assert len(str(refused.value)) < 4_000


def test_a_row_has_the_faults_of_its_record() -> None:
    of_row = row_faults("time.entries", own_fields("time.entries"))
    assert of_row(tuple(sound("time.entries").values())) == []
    bad = sound("time.entries", minutes=100_001, note="n" * 4_001, entry_id="")
    assert of_row(tuple(bad.values())) == found("time.entries", bad) != []


def test_the_appendices_are_complete() -> None:
    assert (len(COUNTRIES), len(MINOR_UNITS)) == (249, 165 + 11)
    assert not {"EL", "UK", "XX"} & COUNTRIES
    assert not {"XAU", "XTS", "XXX", "XDR"} & MINOR_UNITS.keys()
    digits: Mapping[str, int] = MINOR_UNITS
    assert [digits[c] for c in ("JPY", "USD", "KWD", "CLF", "BYR", "ISK")] == [0, 2, 3, 4, 0, 0]
