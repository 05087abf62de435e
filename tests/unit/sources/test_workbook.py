"""A workbook holds every field of the contracts, and reading gives what was written, in either format."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from rating.model.days import is_valid
from schemas import codec
from schemas.schema_types import Amount, Boolean, Date, Leaf, Long, Text, Timestamp, leaf_paths
from sources.workbook.cells import BadCell, json_form
from sources.workbook.grids import Formula
from sources.workbook.layout import GIVEN, SHEET_TOPICS, sheets, sheets_of
from sources.workbook.records import read_firm
from sources.workbook.sample_firm import sample_firm
from sources.workbook.tax_rates import tax_rules
from sources.workbook.write import write_csv, write_workbook

MONEY = Amount(18, 6)


@pytest.mark.parametrize("topic", SHEET_TOPICS)
def test_every_field_of_a_contract_is_a_column(topic: str) -> None:
    columns = {".".join((*sheet.path, *column.path)) for sheet in sheets_of(topic) for column in sheet.columns}
    assert columns == {path for path in leaf_paths(codec.shape(topic)) if path not in GIVEN}


def test_titles_and_file_names_are_unique_and_short_enough_for_a_workbook() -> None:
    assert len({sheet.title for sheet in sheets()}) == len({sheet.file for sheet in sheets()}) == len(sheets())
    assert max(len(sheet.title) for sheet in sheets()) <= 31


def test_the_smallest_engagement_is_one_row_of_eight_cells(tmp_path: Path) -> None:
    book = Workbook()
    page = book.create_sheet("Engagements")
    needed = {
        "engagement_id": "E1", "client_id": "C1", "name": "One", "starts_on": date(2026, 1, 1), "currency": "EUR",
        "legal_entity": "L1", "billing_method": "time_and_materials", "owner": "a@example.com",
    }  # fmt: skip
    page.append(list(needed))
    page.append(list(needed.values()))
    entity = book.create_sheet("legal ENTITIES")  # as people write it
    entity.append(
        ["legal_entity_id", "name", "country", "address.street", "address.city", "address.postcode", "address.country"]
    )
    entity.append(["L1", "We", "DE", "1 Road", "Town", 12345, "DE"])
    book.save(tmp_path / "firm.xlsx")
    found = read_firm(tmp_path / "firm.xlsx")
    assert found.problems == []
    record = found.of("master.engagements")[0].record
    assert (record["seller_country"], record["seller_tax_jurisdiction"], record["status"]) == ("DE", "DE", "active")
    assert record["rounding"] == {"increment_minutes": 1, "mode": "nearest", "scope": "entry"}
    assert (record["discount_percent"], record["hours_per_day"], record["milestones"]) == (0, 8, [])
    assert found.of("master.legal-entities")[0].record["address"]["postcode"] == "12345"


def test_the_sample_firm_reads_the_same_from_a_workbook_and_from_csv(tmp_path: Path) -> None:
    write_workbook(tmp_path / "book" / "firm.xlsx", sample_firm())
    write_csv(tmp_path / "files", sample_firm())
    book, files = read_firm(tmp_path / "book"), read_firm(tmp_path / "files")
    assert book.problems == files.problems == []
    assert {each.identity: each.record for each in book.records} == {
        each.identity: each.record for each in files.records
    }
    assert len(book.records) == sum(map(len, sample_firm().values()))


def test_headers_have_notes_and_choices_have_drop_downs(tmp_path: Path) -> None:
    write_workbook(tmp_path / "firm.xlsx", sample_firm())
    book = load_workbook(tmp_path / "firm.xlsx")
    for sheet in sheets():
        page = book[sheet.title]
        assert all(cell.comment is not None and len(cell.comment.text) > 10 for cell in page[1])
        offered = {str(each.sqref).split("2:")[0]: each.formula1 for each in page.data_validations.dataValidation}
        for cell, column in zip(page[1], sheet.all_columns, strict=True):
            if column.choices:
                assert offered[cell.column_letter] == f'"{",".join(column.choices)}"'


@pytest.mark.parametrize(
    ("leaf", "cell", "said"),
    [
        (MONEY, 27.5, "27.5"),
        (MONEY, 1200, "1200"),
        (MONEY, 0.1, "0.1"),
        (MONEY, 1e-6, "0.000001"),
        (Date(), datetime(2026, 4, 30), "2026-04-30"),  # noqa: DTZ001 - a cell has no zone
        (Date(), date(2026, 4, 30), "2026-04-30"),
        (Long(), 480.0, 480),
        (Long(), "480", 480),
        (Boolean(), "Yes", True),
        (Boolean(), False, False),
        (Text(), 1001, "1001"),
        (Text(), "  padded ", "padded"),
    ],
)
def test_a_cell_that_means_one_thing_is_taken(leaf: Leaf, cell: object, said: object) -> None:
    assert json_form(leaf, cell, "field") == said


def test_a_month_that_the_spreadsheet_turned_into_a_date_is_still_that_month() -> None:
    assert json_form(Text(), datetime(2026, 1, 1), "period") == "2026-01"  # noqa: DTZ001 - a cell has no zone


@pytest.mark.parametrize(
    ("leaf", "cell"),
    [
        (Text(), 1.1),  # 1.10 or 1.1
        (Text(), datetime(2026, 1, 2)),  # noqa: DTZ001 - a cell has no zone
        (Timestamp(), datetime(2026, 1, 2, 9)),  # noqa: DTZ001 - that is the fault
        (Date(), datetime(2026, 1, 2, 9)),  # noqa: DTZ001 - a cell has no zone
        (Date(), 46000),
        (MONEY, True),
        (MONEY, 0.1 + 0.2),  # more digits than anybody typed
        (MONEY, Formula("=A1*2")),
        (Boolean(), 1),
    ],
)
def test_a_cell_that_could_mean_two_things_is_refused_with_a_remedy(leaf: Leaf, cell: object) -> None:
    with pytest.raises(BadCell) as refused:
        json_form(leaf, cell, "field")
    assert len(refused.value.remedy) > 5


def test_tax_rules_are_those_of_the_reference_data() -> None:
    rules = list(tax_rules())

    def rate(place: str, day: date) -> Decimal:
        (found,) = (
            each
            for each in rules
            if each["jurisdiction"] == place
            and is_valid(
                day,
                date.fromisoformat(each["valid_from"]),
                date.fromisoformat(each["valid_to"]) if "valid_to" in each else None,
            )
        )
        return Decimal(found["rate"])

    assert len({each["jurisdiction"] for each in rules}) == 29
    assert [rate("DE", date(2020, month, 1)) for month in (6, 7, 12)] == [19, 16, 16]
    assert rate("DE", date(2021, 1, 1)) == 19
    assert [rate("EE", day) for day in (date(2023, 12, 31), date(2024, 1, 1), date(2025, 7, 1))] == [20, 22, 24]
    assert (rate("GB", date(2026, 1, 1)), rate("US", date(2026, 1, 1))) == (20, 0)
