"""Every built-in source's sample files: their totals by other means, their broken rows with reasons, nothing lost."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from sources.engine import Mapper
from sources.files.parse import Taken, take
from sources.mapping import catalogue
from tests.unit.sources.intake import Intake

SOURCES = Path(__file__).parents[3] / "sources"
SAMPLES = sorted(SOURCES.glob("*/samples/*"))


def sample(name: str) -> bytes:
    return (SOURCES / name).read_bytes()


def rows_of(name: str) -> list[dict[str, str]]:
    """A sample file by the csv module alone: what this project's own reader is held against."""
    return list(csv.DictReader(io.StringIO(sample(name).decode("utf-8-sig"), newline="")))


def taken(name: str) -> Taken:
    return take(catalogue.load(name.split("/")[0]), Path(name).name, sample(name))


def mapped(*names: str) -> list[dict[str, Any]]:
    """The canonical records that stand after intake has had these files, every code mapped to itself."""
    system = names[0].split("/")[0]
    intake = Intake(Mapper(catalogue.load(system)))
    for name in names:
        found = taken(name)
        assert found.bad == []
        for key in found.codes:
            _, kind, code = key.split(":", 2)
            map_code(intake, system, kind, code)
        for row in found.records:
            intake.arrives(row.topic, row.id, row.record)
    while intake.open:
        (_, _, missing), *_ = intake.open.values()
        assert missing is not None
        map_code(intake, *missing[1].split(":", 2))
    return list(intake.standing().values())


def map_code(intake: Intake, system: str, kind: str, code: str) -> None:
    record = {"system": system, "kind": kind, "code": code, "canonical_id": code, "revision": 1}
    intake.arrives("master.code-map", f"{system}:{kind}:{code}", record)


def minutes_by(records: Iterable[dict[str, Any]], field: str) -> dict[Any, int]:
    found: Counter[Any] = Counter()
    for record in records:
        found[record[field]] += record["minutes"]
    return dict(found)


def half_up(number: Decimal) -> int:
    return int(number.quantize(Decimal(1), ROUND_HALF_UP))


def clock_minutes(duration: str) -> int:
    hours, minutes, *seconds = map(int, duration.split(":"))
    return half_up(Decimal(hours * 3600 + minutes * 60 + sum(seconds)) / 60)


@pytest.mark.parametrize("path", [path for path in SAMPLES if path.name != "webhook.json"], ids=lambda path: path.name)
def test_no_row_of_any_sample_is_lost(path: Path) -> None:
    found = taken(f"{path.parents[1].name}/samples/{path.name}")
    assert found.read == found.good + found.joined + len(found.bad) > 0
    data = path.read_bytes()
    assert all(raw in data for row in found.records for raw in row.raw.split(b"\n") if raw)
    assert all(bad.raw and bad.raw in data and bad.why for bad in found.bad)
    assert ("broken" in path.name or "bad" in path.name) == bool(found.bad)


def test_harvest_with_decimal_commas_and_local_dates() -> None:
    rows = rows_of("harvest/samples/time-de.csv")
    entries = mapped("harvest/samples/time-de.csv")
    assert len(entries) == len(rows) == 6  # two of them alike: both are there
    wanted = [half_up(Decimal(row["Hours"].replace(",", ".")) * 60) for row in rows]
    assert sum(entry["minutes"] for entry in entries) == sum(wanted) == 450 + 15 + 15 + 380 + 60 + 1
    assert minutes_by(entries, "billable") == {True: sum(wanted) - 60, False: 60}
    assert minutes_by(entries, "status") == {"approved": sum(wanted) - 1, "submitted": 1}
    by_day = {day.isoformat(): n for day, n in minutes_by(entries, "work_date").items()}
    assert by_day == {"2025-01-26": 480, "2025-01-27": 440, "2025-01-28": 1}
    assert {entry["engagement_id"] for entry in entries} == {"Müller & Söhne GmbH / Relaunch", "Intern / Verwaltung"}


def test_harvest_as_americans_have_it() -> None:
    rows = rows_of("harvest/samples/time-us.csv")
    entries = mapped("harvest/samples/time-us.csv")
    assert sum(entry["minutes"] for entry in entries) == half_up(sum(Decimal(row["Hours"]) for row in rows) * 60) == 435
    assert sum(e["minutes"] for e in entries if e["billable"]) == 255


def test_harvest_expenses_name_their_currency_in_words() -> None:
    rows = rows_of("harvest/samples/expenses.csv")
    spent = mapped("harvest/samples/expenses.csv")
    wanted: Counter[str] = Counter()
    for row in rows:
        wanted[row["Currency"][-3:]] += Decimal(row["Amount"].replace(",", "."))  # type: ignore[assignment]
    found: Counter[str] = Counter()
    for expense in spent:
        found[expense["currency"]] += expense["amount"]
    assert found == wanted == {"EUR": Decimal("113.40"), "USD": Decimal(14)}


@pytest.mark.parametrize(("source", "column"), [("clockify", "Duration (h)"), ("toggl", "Duration")])
def test_an_entry_that_is_there_once_for_each_tag_counts_once(source: str, column: str) -> None:
    rows = rows_of(f"{source}/samples/detailed.csv")
    keys = {"clockify": ("Email", "Start Date", "Start Time"), "toggl": ("Email", "Start date", "Start time")}[source]
    once = {tuple(row[name] for name in keys): row[column] for row in rows}
    assert len(once) == len(rows) - 1
    entries = mapped(f"{source}/samples/detailed.csv")
    assert sum(entry["minutes"] for entry in entries) == sum(map(clock_minutes, once.values()))
    (joined,) = (row for row in taken(f"{source}/samples/detailed.csv").records if b"\n" in row.raw)
    assert joined.record["tags"] == {"clockify": "on site, review", "toggl": "call, urgent, billing"}[source]


def test_summer_time_begins_and_ends_in_berlin() -> None:
    """Two hours by the clock are one in the night of 30 March, and three in that of 26 October."""
    for name, day, minutes in (
        ("clockify/samples/detailed.csv", "2025-03-30", 60),
        ("toggl/samples/detailed.csv", "2025-10-26", 180),
    ):
        found = [entry for entry in mapped(name) if entry["work_date"].isoformat() == day]
        assert [entry["minutes"] for entry in found] == [minutes]
    kimai = {day.isoformat(): n for day, n in minutes_by(mapped("kimai/samples/timesheets.csv"), "work_date").items()}
    assert (kimai["2025-03-30"], kimai["2025-10-26"]) == (60, 180 + 30)


def test_kimai() -> None:
    rows = rows_of("kimai/samples/timesheets.csv")
    entries = mapped("kimai/samples/timesheets.csv")
    assert sum(entry["minutes"] for entry in entries) == sum(clock_minutes(row["Duration"]) for row in rows) == 720
    assert Counter(entry["consultant_id"] for entry in entries) == Counter(row["User"] for row in rows)


def test_jira_worklogs_wait_for_their_issues_and_have_the_day_of_berlin() -> None:
    logs = json.loads(sample("jira/samples/worklogs.json"))["worklogs"]
    issues = {
        each["id"]: each["fields"]["project"]["key"]
        for each in json.loads(sample("jira/samples/issues.json"))["issues"]
    }
    assert taken("jira/samples/worklogs.json").waiting == {"issues": 4}
    entries = mapped("jira/samples/worklogs.json", "jira/samples/issues.json")
    by_engagement: Counter[str] = Counter()
    for log in logs:
        by_engagement[issues[log["issueId"]]] += half_up(Decimal(log["timeSpentSeconds"]) / 60)
    assert minutes_by(entries, "engagement_id") == by_engagement == {"WEB": 212, "OPS": 270}
    days = {entry["entry_id"]: (entry["work_date"].isoformat(), entry["minutes"]) for entry in entries}
    assert days == {
        "jira-20001": ("2025-03-28", 210),
        "jira-20002": ("2025-03-30", 90),  # begins at half past midnight in Berlin, still the day before in UTC
        "jira-20003": ("2025-10-26", 180),
        "jira-20004": ("2025-04-01", 2),  # the last minute of March in San Francisco
    }


def test_tempo_has_time_that_is_not_billed() -> None:
    logs = json.loads(sample("jira/samples/tempo-worklogs.json"))["results"]
    entries = mapped("jira/samples/tempo-worklogs.json", "jira/samples/issues.json")
    wanted = {bool(log["billableSeconds"]): 0 for log in logs}
    for log in logs:
        wanted[bool(log["billableSeconds"])] += half_up(Decimal(log["timeSpentSeconds"]) / 60)
    assert minutes_by(entries, "billable") == wanted == {True: 420, False: 30}


def test_expensify_counts_what_was_really_paid() -> None:
    rows = rows_of("expensify/samples/expenses.csv")
    wanted: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        key = (row["Original Currency"], "submitted" if row["Status"] == "Processing" else "approved")
        wanted[key] = wanted.get(key, Decimal(0)) + Decimal(row["Original Amount"].replace(",", ""))
    found: dict[tuple[str, str], Decimal] = {}
    for expense in mapped("expensify/samples/expenses.csv"):
        key = expense["currency"], expense["status"]
        found[key] = found.get(key, Decimal(0)) + expense["amount"]
    assert found == wanted
    assert found["USD", "approved"] == Decimal(1250)


@pytest.mark.parametrize("order", [("Account.csv", "Contract.csv"), ("Contract.csv", "Account.csv")])
def test_salesforce_clients_and_engagements(order: tuple[str, str]) -> None:
    found = mapped(*(f"salesforce/samples/{name}" for name in order))
    clients = {each["client_id"]: each for each in found if "engagement_id" not in each}
    engagements = [each for each in found if "engagement_id" in each]
    accounts, contracts = (rows_of(f"salesforce/samples/{name}") for name in ("Account.csv", "Contract.csv"))
    assert {client["name"] for client in clients.values()} == {row["Name"] for row in accounts}
    assert clients["sf-0015g00000XyZaAAAV"]["country"] == "DE"
    assert sum(client["payment_terms_days"] for client in clients.values()) == 75
    assert {each["engagement_id"] for each in engagements} == {f"sf-{row['Id']}" for row in contracts}
    assert {each["client_id"] for each in engagements} == clients.keys()


def test_a_gsa_price_list_is_a_rate_card_for_each_contract() -> None:
    rows = rows_of("gsa/samples/s70_sample.csv")[1:]
    cards = mapped("gsa/samples/s70_sample.csv")
    wanted: dict[str, Decimal] = {}
    for row in rows:
        (price,) = (value for name, value in row.items() if name.startswith("PRICE OFFERED"))
        wanted[row["CONTRACT NUMBER"]] = wanted.get(row["CONTRACT NUMBER"], Decimal(0)) + Decimal(
            re.sub(r"[$,]", "", price)
        )
    found = {card["rate_card_id"]: sum(line["amount"] for line in card["lines"]) for card in cards}
    assert found == {f"gsa-{contract}": total for contract, total in wanted.items()}
    assert sum(len(card["lines"]) for card in cards) == len(rows)
    first = next(card for card in cards if card["rate_card_id"] == "gsa-GS-35F-376CA")
    assert {(str(line["valid_from"]), str(line["valid_to"])) for line in first["lines"]} == {
        ("2015-06-24", "2020-06-24")
    }


def test_gsa_per_diems_are_two_rates_of_a_place_and_season() -> None:
    rates = mapped("gsa/samples/per_diems.csv")
    assert len(rates) == 2 * len(rows_of("gsa/samples/per_diems.csv"))
    assert len({rate["per_diem_id"] for rate in rates}) == len(rates)
    assert max(len(str(rate["per_diem_id"])) for rate in rates) <= 200
    found = {
        (rate["place"], rate["component"], rate["season_from"], rate["season_to"]): rate["amount"] for rate in rates
    }
    assert found["Boston / Cambridge, MA", "lodging", "11-01", "02-28"] == Decimal(209)
    assert found["Boston / Cambridge, MA", "meals", "09-01", "09-30"] == Decimal(92)
    assert found["Hot Springs, AR", "lodging", None, None] == Decimal(114)
    assert found["Hot Springs, SD", "lodging", "06-01", "09-30"] == Decimal(161)
    assert found["Standard CONUS", "meals", None, None] == Decimal(68)
    assert {(str(rate["valid_from"]), rate["valid_to"], rate["currency"]) for rate in rates} == {
        ("2025-10-01", None, "USD")
    }


def test_a_broken_price_leaves_the_rest_of_its_card() -> None:
    found = taken("gsa/samples/s70_bad_sample.csv")
    assert [(bad.line, bad.why) for bad in found.bad] == [
        (3, "'BAD_PRICE_DATA' is no number such as 1,234.50"),
        (13, "'BAD_DATE_DATA' is not of the form %m/%d/%y or %m/%d/%Y"),
    ]
    last = {made.record["rate_card_id"]: made.record["lines"] for made in found.made}
    assert sum(len(lines) for lines in last.values()) == len(rows_of("gsa/samples/s70_bad_sample.csv")) - 1 - 2


BROKEN = {
    "harvest/samples/time-broken.csv": [
        (
            3,
            "'Date': '03/02/2025' may be 2025-02-03 or 2025-03-02, and nothing in the file decides; export it with "
            "dates as YYYY-MM-DD, or say the order with --dates",
        ),
        (4, "'Hours' is empty"),
        (5, "'Hours': 'an hour' is no number such as 1234.50"),
        (6, "has 22 columns where the headers are 21; correct this line"),
        (7, "its quotes are broken (unexpected end of data); correct this line"),
        (8, "the code 'Maybe' is none of Yes, yes, No, no"),
    ],
    "clockify/samples/detailed-broken.csv": [
        (5, "'2025-03-30 02:30:00 AM' is no time in Europe/Berlin: clocks were put forward over it"),
        (6, "'1.50' is no duration h:mm:ss"),
    ],
    "toggl/samples/detailed-broken.csv": [
        (3, "'Email' is empty"),
        (4, "'00:70:00' is no duration h:mm:ss"),
        (5, "has 9 columns where the headers are 14; correct this line"),
    ],
    "kimai/samples/timesheets-broken.csv": [
        (3, "'To' is empty"),
        (4, "'2025-03-30 02:15' is no time in Europe/Berlin: clocks were put forward over it"),
    ],
    "jira/samples/worklogs-broken.json": [
        (21, "'2025-03-28' does not say its offset from UTC"),
        (39, "'timeSpentSeconds' is 'ten', which is no whole number"),
        (57, "'author.accountId' is empty"),
    ],
    "expensify/samples/expenses-broken.csv": [
        (3, "'1.089,90' is no number such as 1,234.50"),
        (4, "'Tag' is empty"),
    ],
    "salesforce/samples/Contract-broken.csv": [
        (3, "master.engagements: starts_on must be a date YYYY-MM-DD, not str '01.01.2025'"),
        (4, "the code 'Licence' is none of Time and Materials, Fixed Fee, Not billable"),
        (5, "'Id' is empty"),
    ],
}


@pytest.mark.parametrize("name", BROKEN)
def test_bad_rows_say_where_and_why(name: str) -> None:
    found = taken(name)
    assert [(bad.line, bad.why) for bad in found.bad] == BROKEN[name]
    lines = sample(name).split(b"\n")
    assert all(bad.raw.split(b"\n")[0].strip() == lines[bad.line - 1].strip() for bad in found.bad)
