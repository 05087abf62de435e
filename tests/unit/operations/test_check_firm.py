"""`hourstream check`: every fault of every record in one run, each with its cell; then what sound data would mean."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from cli.main import main
from operations.firm.check import Checked, check_firm
from sources.workbook.sample_firm import sample_firm
from sources.workbook.write import write_workbook
from tests.unit.operations.planted_errors import PLANTED

Edit = Callable[[Worksheet], object]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "firm.xlsx"
    write_workbook(path, sample_firm())
    return path


def edited(sample: Path, folder: Path, **cells: object) -> Path:
    """The sample with cells changed: `Rate_lines__B3=140`."""
    path = folder / "firm.xlsx"
    shutil.copy(sample, path)
    book = load_workbook(path)
    for where, value in cells.items():
        sheet, _, cell = where.rpartition("__")
        book[sheet.replace("_", " ")][cell] = value
    book.save(path)
    return path


def findings(checked: Checked, kind: str) -> list[str]:
    return [str(each) for each in checked.findings if each.kind == kind]


def test_the_sample_firm_bills_as_worked_by_hand(sample: Path) -> None:
    checked = check_firm(sample)
    assert (checked.problems, checked.findings) == ([], [])
    found = {each.engagement_id: (each.amounts, each.taxes) for each in checked.previews}
    assert found == {
        # 300 min of a partner at 180, 480 and 450 min of a consultant at 105
        "BAUWERK-ERP": ({"EUR": Decimal("2527.50")}, {"S 19 %"}),
        # the fee, and of 420 + 270 min 90 beyond the 600 included: those of the last entry, a partner's
        "FRESNEL-CARE": ({"EUR": Decimal("1770.00")}, {"AE 0 %"}),
        # 415 and 200 min up to 420 and 210 by 15, at 120; the train
        "ALBION-DATA": ({"GBP": Decimal("1344.50")}, {"S 20 %"}),
        "CASCADE-CLOUD": ({"USD": Decimal("9000.00")}, {"O 0 %"}),
    }


def test_forty_planted_errors_are_all_named_with_their_cells_in_one_check(sample: Path, tmp_path: Path) -> None:
    path = tmp_path / "firm.xlsx"
    shutil.copy(sample, path)
    book = load_workbook(path)
    for planted in PLANTED:
        book[planted.sheet][planted.cell] = planted.value
    book.save(path)
    done = CliRunner().invoke(main, ["check", str(path), "--json"])
    assert done.exit_code == 1
    errors = json.loads(done.stdout)["errors"]
    told = [each["cell"] for each in errors]
    assert len(PLANTED) == 40
    assert sorted(told) == sorted(planted.named for planted in PLANTED)
    assert all(each["remedy"] and each["what"] for each in errors)
    shown = CliRunner().invoke(main, ["check", str(path)])
    assert all(planted.named in shown.output for planted in PLANTED)


def test_a_grade_without_a_rate_is_told_before_the_first_hour(sample: Path, tmp_path: Path) -> None:
    # The senior's line in euro ends on 1 May.
    path = edited(sample, tmp_path, Rate_lines__I3=date(2026, 5, 1))
    told = findings(check_firm(path), "cannot_bill")
    assert [each.split(";")[0] for each in told] == [
        "Engagements!A2: BAUWERK-ERP: no rate for grade Senior from 2026-05-01 (NO_RATE)",
        "Engagements!A3: FRESNEL-CARE: no rate for grade Senior from 2026-05-01 (NO_RATE)",
    ]


def test_rates_that_nothing_reaches_are_told_with_the_reason(sample: Path, tmp_path: Path) -> None:
    path = edited(
        sample,
        tmp_path,
        Rate_lines__G4="Trainee",
        Rate_lines__I5=date(2025, 12, 1),
        Rate_lines__F6="CASCADE-CLOUD-WORK",
    )
    told = findings(check_firm(path), "not_reached")
    assert len(told) == 3
    assert (
        "Rate lines!A4: FIRM-EUR line consultant: nothing reaches this rate: no consultant has grade Trainee" in told[0]
    )
    assert "Rate lines!A5: FIRM-GBP line partner: nothing reaches this rate: it ends on 2025-12-01" in told[1]
    assert "the engagement of task CASCADE-CLOUD-WORK does not search this card" in told[2]


def test_work_that_would_be_on_hold_is_named_with_its_row(sample: Path, tmp_path: Path) -> None:
    path = edited(sample, tmp_path, Time_entries__F2=1500, Tax_rules__B2="XX", Clients__G3="FR99")
    checked = check_firm(path)
    held = {(each.code, str(each.place)) for found in checked.previews for each in found.on_hold}
    assert {("INVALID", "Time entries!A2"), ("INVALID_VAT_ID", "Time entries!A6")} <= held
    assert any("INVALID_VAT_ID" in each for each in findings(checked, "cannot_bill"))


def test_references_may_lead_nowhere_where_that_is_asked_for(sample: Path, tmp_path: Path) -> None:
    path = edited(sample, tmp_path, Engagements__B2="LATER")
    assert [str(each.place) for each in check_firm(path).problems] == ["Engagements!B2"]
    assert check_firm(path, open_references=True).problems == []


def test_lines_of_json_are_checked_as_rows_are(tmp_path: Path) -> None:
    sound = {"consultant_id": "a", "name": "A", "region": "EMEA", "grades": []}
    lines = [
        {"topic": "master.consultants", "value": sound},
        {
            "topic": "master.consultants",
            "value": {**sound, "consultant_id": "b", "region": "Moon", "grades": [{"valid_from": "1.1.2026"}]},
        },
        {"topic": "master.unknown", "value": {}},
    ]
    path = tmp_path / "people.jsonl"
    path.write_text("\n".join([*map(json.dumps, lines), "{"]), encoding="utf-8")
    checked = check_firm(path)
    assert [each.id for each in checked.records] == ["a"]
    assert [(str(each.place), each.place.column) for each in checked.problems] == [
        ("people.jsonl:2", "region"),
        ("people.jsonl:2", "grades[0].valid_from"),
        ("people.jsonl:2", "grades[0].labor_category"),
        ("people.jsonl:3", None),
        ("people.jsonl:4", None),
    ]


def test_what_is_no_workbook_is_an_error_message(tmp_path: Path) -> None:
    (tmp_path / "firm.xlsx").write_text("no zip")
    (tmp_path / "empty").mkdir()
    for path, said in ((tmp_path / "firm.xlsx", "no .xlsx workbook"), (tmp_path / "empty", "hourstream init")):
        done = CliRunner().invoke(main, ["check", str(path)])
        assert done.exit_code == 1
        assert said in done.output


def test_init_overwrites_nothing_unasked(tmp_path: Path) -> None:
    first = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert first.exit_code == 0
    assert f"hourstream check {tmp_path}" in first.output
    again = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert (again.exit_code, "--force" in again.output) == (1, True)
    assert CliRunner().invoke(main, ["init", str(tmp_path), "--force", "--empty"]).exit_code == 0
    assert {each.topic for each in check_firm(tmp_path).records} == {"master.tax-rules"}
