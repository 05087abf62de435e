"""Files through the real broker and intake: ingested, watched for under kill -9, their codes mapped by suggestion."""

import csv
import io
import json
import shutil
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from operations.jsonl_ingest import Publisher
from tests.integration.sources.running import SAMPLES, Installation

HARVEST = SAMPLES / "harvest" / "samples"
STAMP = {"source": "test", "revision": 1, "occurred_at": "2025-01-01T00:00:00Z"}


@pytest.fixture(scope="module", autouse=True)
def masters(here: Installation) -> None:
    """What the codes of Harvest's sample mean, under names that are not quite Harvest's."""
    publisher = Publisher(here.settings.bootstrap)
    for record_id, name in (("C-1", "Lovelace, Ada"), ("C-2", "Grace Hopper"), ("C-3", "Grace Harper")):
        value = {"consultant_id": record_id, "name": name, "region": "EMEA", "grades": [], **STAMP}
        publisher.publish("master.consultants", record_id, value)
    client = {"name": "Müller & Söhne", "country": "DE", "region": "EMEA", "tax_jurisdiction": "DE", "currency": "EUR"}
    publisher.publish("master.clients", "K-1", {"client_id": "K-1", "payment_terms_days": 30, **client, **STAMP})
    publisher.finish()


def rows_of(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((HARVEST / name).read_text("utf-8-sig"), newline="")))


def test_a_file_is_published_once_and_its_codes_are_mapped_by_suggestion(here: Installation) -> None:
    told = here.hourstream("ingest", str(HARVEST / "time-de.csv"), "--source", "harvest")
    assert told.exit_code == 0, told.output
    assert "time-de.csv: 6 records published" in told.output
    again = here.hourstream("ingest", str(HARVEST / "time-de.csv"), "--source", "harvest")
    assert (again.exit_code, "nothing was published" in again.output) == (0, True), again.output
    records = here.records("source.harvest.entries")
    headers = [dict(record.headers) for record in records]
    assert [header["file.line"] for header in headers] == [b"2", b"3", b"4", b"5", b"7", b"8"]
    assert b"\r\n".join(header["file.row"] for header in headers) in (HARVEST / "time-de.csv").read_bytes()
    (note,) = here.values("files.taken")
    assert (note["rows"], note["records"], note["bad"], note["system"]) == (6, 6, 0, "harvest")

    here.waits_for("exceptions", lambda: len({v["subject"] for v in here.values("billing.exceptions")}) == 6)
    codes = json.loads(here.hourstream("exceptions", "codes", "--json").stdout)
    assert [(each["code"], each["subjects"]) for each in codes] == [
        ("harvest:engagement:Müller & Söhne GmbH / Relaunch", 5),
        ("harvest:engagement:Intern / Verwaltung", 1),
    ]
    for kind, code, canonical_id in (
        ("engagement", "Müller & Söhne GmbH / Relaunch", "E-1"),
        ("engagement", "Intern / Verwaltung", "E-2"),
        ("task", "Müller & Söhne GmbH / Relaunch / Entwicklung", "T-1"),
        ("task", "Müller & Söhne GmbH / Relaunch / Meeting", "T-2"),
        ("task", "Intern / Verwaltung / Urlaubsplanung", "T-3"),
    ):
        mapped = here.hourstream("exceptions", "map", "harvest", kind, code, canonical_id, "--reason", "a test")
        assert mapped.exit_code == 0, mapped.output
    here.waits_for("question for people", lambda: people_asked(here) == {"Ada Lovelace", "Grace Hopper"})

    subject = next(v["subject"] for v in here.values("billing.exceptions") if "Grace Hopper" in v["message"])
    shown = here.hourstream("exceptions", "show", "", subject)
    assert "C-2 (Grace Hopper, 100 of 100 alike)" in shown.output
    assert "hourstream exceptions map harvest consultant 'Grace Hopper' C-2" in shown.output
    for name in ("Ada Lovelace", "Grace Hopper"):
        mapped = here.hourstream("exceptions", "map", "harvest", "consultant", name, "--accept", "--reason", "alike")
        assert mapped.exit_code == 0, mapped.output
    unsure = here.hourstream(
        "exceptions", "map", "harvest", "consultant", "G. Harpper", "--accept", "--reason", "alike"
    )
    assert (unsure.exit_code, "no name is so much like it" in unsure.output) == (1, True), unsure.output

    here.waits_for("entries", lambda: len(here.records("time.entries")) == 6)
    wanted: Counter[str] = Counter()
    for row in rows_of("time-de.csv"):
        minutes = (Decimal(row["Hours"].replace(",", ".")) * 60).quantize(Decimal(1), ROUND_HALF_UP)
        wanted[{"Ada": "C-1", "Grace": "C-2"}[row["First Name"]]] += int(minutes)
    found: Counter[str] = Counter()
    for entry in here.values("time.entries"):
        found[entry["consultant_id"]] += entry["minutes"]
    assert found == wanted


def people_asked(here: Installation) -> set[str]:
    asked = (value["missing"] for value in here.values("billing.exceptions") if value["missing"] is not None)
    keys = (str(missing["id"]).split(":", 2) for missing in asked)
    return {code for _, kind, code in keys if kind == "consultant"}


def letters_of(here: Installation, name: str) -> list[dict[str, Any]]:
    return [letter for letter in here.values("dead.letters") if letter["topic"] == name]


def test_a_bad_row_is_a_dead_letter_with_its_own_bytes(here: Installation) -> None:
    broken = HARVEST / "time-broken.csv"
    before = len(here.records("source.harvest.entries"))
    strict = here.hourstream("ingest", str(broken), "--source", "harvest", "--all-or-nothing")
    assert (strict.exit_code, "nothing was published" in strict.output) == (1, True)
    assert letters_of(here, broken.name) == []
    told = here.hourstream("ingest", str(broken), "--source", "harvest")
    assert (told.exit_code, "2 records published, 6 rows to dead.letters" in told.output) == (1, True)
    lines = broken.read_bytes().splitlines()
    letters = letters_of(here, broken.name)
    assert [(letter["offset"], letter["value"]) for letter in letters] == [(n, lines[n - 1]) for n in range(3, 9)]
    assert letters[0]["error"].startswith("time-broken.csv:3: 'Date': '03/02/2025' may be 2025-02-03 or 2025-03-02")
    published = [dict(record.headers)["file.row"] for record in here.records("source.harvest.entries")[before:]]
    assert sorted([*published, *(letter["value"] for letter in letters)]) == sorted(lines[1:])


POINTS = ("watch:claimed", "files:flushed", "files:committed", "watch:published")


def test_a_folder_is_watched_and_each_file_taken_once_whatever_kills_the_watcher(
    here: Installation, tmp_path: Path
) -> None:
    folder, faults = tmp_path / "in", tmp_path / "faults"
    folder.mkdir()
    faults.mkdir()
    watch = ("watch", str(folder), "--source", "harvest", "--seconds", "0.2", "--once")
    before = len(here.records("source.harvest.expenses")), len(here.values("files.taken"))
    contents = (HARVEST / "expenses.csv").read_text("utf-8-sig")
    for number, point in enumerate(POINTS):
        file = folder / f"expenses-{number}.csv"
        file.write_text(contents.replace("Ada,Lovelace", f"Ada {number},Lovelace"), encoding="utf-8")
        (faults / point).write_text("SIGKILL")
        killed = here.in_a_process(*watch, more={"HOURSTREAM_FAULTS": str(faults)})
        assert killed.returncode == -9, killed.stdout
        assert [path.name for path in (folder / "taking").iterdir()] == [file.name]
        after = here.hourstream(*watch)
        assert after.exit_code == 0, after.output
        assert list((folder / "taking").iterdir()) == []
        taken = len(here.records("source.harvest.expenses")) - before[0], len(here.values("files.taken")) - before[1]
        assert taken == (3 * (number + 1), number + 1), f"after a kill at {point}"
    assert len(list((folder / "taken").iterdir())) == len(POINTS)


def test_a_watched_file_that_is_no_file_of_the_source_is_refused_with_the_reason(
    here: Installation, tmp_path: Path
) -> None:
    shutil.copy(SAMPLES / "toggl" / "samples" / "detailed.csv", tmp_path / "toggl.csv")
    (tmp_path / "still.part").write_text("half a file")
    (tmp_path / "again.csv").write_bytes((HARVEST / "time-de.csv").read_bytes())
    before = len(here.records("source.harvest.entries"))
    told = here.hourstream("watch", str(tmp_path), "--source", "harvest", "--seconds", "0.2", "--once")
    assert told.exit_code == 0, told.output
    refused = sorted(path.name.partition("-")[2] for path in (tmp_path / "refused").iterdir())
    assert refused == ["toggl.csv", "toggl.csv.why"]
    (why,) = (tmp_path / "refused").glob("*.why")
    assert "harvest does not know this file" in why.read_text()
    assert (tmp_path / "still.part").exists()
    assert "again.csv: its contents were taken before, as time-de.csv" in told.output
    assert len(here.records("source.harvest.entries")) == before
