"""All of Tock's data through its mapping, against figures that another program computed from the JSON file."""

import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas import codec
from schemas.json_codec import from_json
from sources.tock.counting import LinesCounted, count_lines
from sources.tock.records import DATA, MASTERS, SECOND_ACT, read
from tests.unit.sources.intake import TOCK_MAPPER, Intake
from topics import catalogue

Standing = dict[tuple[str, str, str], dict[str, Any]]


def taken_in(records: Iterable[tuple[str, str, dict[str, Any]]]) -> Intake:
    intake = Intake(TOCK_MAPPER)
    for topic, key, record in records:
        if topic in TOCK_MAPPER.mapping.topics:
            assert intake.arrives(topic, key, record).problems == []
    return intake


@pytest.fixture(scope="module")
def intake() -> Intake:
    return taken_in(read())


@pytest.fixture(scope="module")
def standing(intake: Intake) -> Standing:
    return intake.standing()


def of(standing: Standing, topic: str) -> list[dict[str, Any]]:
    return [record for (name, _, _), record in standing.items() if name == topic]


def test_the_input_side_is_counted_from_the_file() -> None:
    assert count_lines(DATA) == LinesCounted(
        lines=11_047, hours=Decimal("171624.72"), minutes=10_297_482, rounded=46, rounding_minutes=Decimal("-1.2")
    )


def test_every_record_fits_its_contract_under_its_own_key() -> None:
    counted: Counter[str] = Counter()
    for topic, key, record in read():
        assert codec.decode_for(topic, codec.encode(topic, record)) == record
        catalogue.check(topic, key.encode(), record)
        counted[topic.removeprefix("source.tock.")] += 1
    assert counted == {
        "agencies": 20,
        "accounting_codes": 33,
        "projects": 114,
        "grades": 150,
        "users": 150,
        "userdata": 137,
        "reporting_periods": 42,
        "timecards": 4348,
        "lines": 11_047,
    }


def test_records_carry_no_secret_and_no_address() -> None:
    users = [record for topic, _, record in read() if topic == "source.tock.users"]
    assert set().union(*users) == {"id", "username", "first_name", "last_name", "is_active"}


def test_every_line_becomes_entries_and_no_minute_is_lost(intake: Intake, standing: Standing) -> None:
    entries = of(standing, "time.entries")
    assert len(entries) == 54_907
    assert sum(entry["minutes"] for entry in entries) == 10_297_482
    assert len({entry["entry_id"].split(":")[0] for entry in entries}) == 11_047
    assert {entry["status"] for entry in entries} == {"approved"}
    assert {record["revision"] for record in intake.published.values()} == {1}
    assert TOCK_MAPPER.waiting(intake.state) == {}


def test_masters_are_all_there_and_all_referred_to(standing: Standing) -> None:
    ids = {
        topic: {name for kind, name, _ in standing if kind == topic}
        for topic in ("master.clients", "master.engagements", "master.tasks", "master.consultants")
    }
    assert [len(found) for found in ids.values()] == [20, 33, 114, 150]
    entries = of(standing, "time.entries")
    assert {entry["engagement_id"] for entry in entries} <= ids["master.engagements"]
    assert {entry["task_id"] for entry in entries} <= ids["master.tasks"]
    assert {entry["consultant_id"] for entry in entries} <= ids["master.consultants"]
    assert {engagement["client_id"] for engagement in of(standing, "master.engagements")} == ids["master.clients"]
    assert {task["engagement_id"] for task in of(standing, "master.tasks")} == ids["master.engagements"]


def test_minutes_that_are_not_billable(standing: Standing) -> None:
    tasks = {task["task_id"]: task for task in of(standing, "master.tasks")}
    entries = of(standing, "time.entries")
    assert sum(entry["minutes"] for entry in entries if not tasks[entry["task_id"]]["billable"]) == 4_718_576


def facts(file: Path) -> list[dict[str, Any]]:
    """The records of a facts file, each held to its contract."""
    found = []
    for line in file.read_text().splitlines():
        fact = json.loads(line)
        record = from_json(fact["topic"], fact["value"])
        catalogue.check(fact["topic"], fact["key"].encode(), record)
        found.append(record)
    return found


def priced(standing: Standing, rates: dict[str, Decimal]) -> tuple[dict[str, int], Decimal]:
    """Billable minutes by what becomes of them, and their amount: a reading of DOMAIN §2 for this data alone."""
    tasks = {task["task_id"]: task for task in of(standing, "master.tasks")}
    people = {person["consultant_id"]: person for person in of(standing, "master.consultants")}
    minutes, amount = {"charged": 0, "NO_RATE": 0, "NO_LABOR_CATEGORY": 0}, Decimal(0)
    for entry in of(standing, "time.entries"):
        if not tasks[entry["task_id"]]["billable"]:
            continue
        category = entry["labor_category"] or category_on(people[entry["consultant_id"]], entry["work_date"])
        fate = "NO_LABOR_CATEGORY" if category is None else "charged" if category in rates else "NO_RATE"
        minutes[fate] += entry["minutes"]
        if category in rates:
            amount += (rates[category] * entry["minutes"] / 60).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return minutes, amount


def category_on(person: dict[str, Any], day: date) -> str | None:
    for grade in person["grades"]:
        if grade["valid_from"] <= day and (grade["valid_to"] is None or day < grade["valid_to"]):
            return str(grade["labor_category"])
    return None


def rates_of(card: dict[str, Any]) -> dict[str, Decimal]:
    assert card["is_firm_default"]
    assert {line["valid_from"] for line in card["lines"]} == {date(2014, 10, 1)}
    return {line["labor_category"]: line["amount"] for line in card["lines"]}


def test_what_the_rates_of_the_fiscal_year_make_of_it(standing: Standing) -> None:
    _, _, card = facts(MASTERS)
    minutes, amount = priced(standing, rates_of(card))
    assert minutes == {"charged": 1_739_216, "NO_RATE": 1_724_892, "NO_LABOR_CATEGORY": 2_114_798}
    assert amount == Decimal("3578637.91")


def test_the_second_act_leaves_no_grade_without_a_rate(standing: Standing) -> None:
    _, _, card = facts(MASTERS)
    (other,) = facts(SECOND_ACT)
    assert "invented for the demo" in other["name"]
    assert not rates_of(card).keys() & rates_of(other).keys()
    # Firm default cards are searched in order of their ids: the invented one only where the real one has nothing.
    assert card["rate_card_id"] < other["rate_card_id"]
    minutes, _ = priced(standing, rates_of(card) | rates_of(other))
    assert minutes == {"charged": 1_739_216 + 1_724_892, "NO_RATE": 0, "NO_LABOR_CATEGORY": 2_114_798}


def test_engagements_clients_and_tax_fit_together(standing: Standing) -> None:
    entity, rule, _ = facts(MASTERS)
    assert {engagement["legal_entity"] for engagement in of(standing, "master.engagements")} == {
        entity["legal_entity_id"]
    }
    assert {client["tax_jurisdiction"] for client in of(standing, "master.clients")} == {rule["jurisdiction"]}
    assert (rule["category"], rule["rate"]) == ("O", 0)


def test_another_order_of_arrival_gives_the_same(standing: Standing) -> None:
    records = list(read())
    random.Random(20141001).shuffle(records)
    assert taken_in(records).standing() == standing
