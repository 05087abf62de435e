"""CSV files that a spreadsheet opens: text stays text."""

import asyncio
import csv
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from console.pages.csv import csv_file, safe


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =cmd|' /C calc'!A0", '=HYPERLINK("x")', " @x", "-2+3"],
)
def test_text_that_would_be_run_is_held(text: str) -> None:
    assert safe(text) == f"'{text}"


def test_everything_else_is_as_it_was() -> None:
    for cell in ("a=b", "time:48", "", 7, -7, Decimal("-12.50"), "1-2"):
        assert safe(cell) == cell
    assert safe(None) == ""
    assert safe(datetime(2025, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2025-01-02T03:04:05+00:00"


def test_a_file_is_what_a_reader_reads() -> None:
    rows = [('Smith, "J"', Decimal("-1.5")), ("=x\nline", None)]
    answer = csv_file("a.csv", ("name", "amount"), rows)

    async def text() -> str:
        body = answer.body_iterator
        assert isinstance(body, AsyncIterator)
        return "".join([str(part) async for part in body])

    read = list(csv.reader(asyncio.run(text()).splitlines(keepends=True)))
    assert read == [["name", "amount"], ['Smith, "J"', "-1.5"], ["'=x\nline", ""]]
    assert answer.headers["content-disposition"] == 'attachment; filename="a.csv"'
