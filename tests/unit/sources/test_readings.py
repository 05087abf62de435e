"""Numbers and dates that the whole of a file decides, or that are refused."""

from collections.abc import Callable, Iterable

import pytest

from sources.mapping import date_orders, number_marks
from sources.mapping.errors import MappingError
from sources.mapping.loader import read_mapping
from tests.unit.sources.test_layouts import MAPPING

SLASHES = ("%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d")


def each(read: Callable[[str], str], texts: Iterable[str]) -> list[str]:
    """What is read of each text; `?` for a refused one."""
    found = []
    for text in texts:
        try:
            found.append(read(text))
        except ValueError:
            found.append("?")
    return found


def column(*cells: str) -> list[str]:
    """The cells of a column as numbers."""
    return each(number_marks.decided(enumerate(cells, 2)).number, cells)


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (("1,234",), ["?"]),
        (("1.234",), ["?"]),
        (("2,000", "2.000"), ["?", "?"]),
        (("2.000", "7,5"), ["2000", "7.5"]),
        (("2,000", "7.5"), ["2000", "7.5"]),
        (("2,000", "7,5"), ["?", "7.5"]),  # a thousand, or what the column's mark says? nobody writes 2,000 for 2
        (("1,250", "0,125"), ["1.250", "0.125"]),  # three decimals are shown to be in use
        (("1,234", "1,234,567"), ["1234", "1234567"]),
        (("1,234", "1.234", "5,5"), ["?", "?", "5.5"]),  # never one cell each way
        (("2.000,0", "2,000.00"), ["2000.0", "2000.00"]),
        (("1'234.50", "1’234"), ["1234.50", "1234"]),
        (("1\u00a0234,5", "1\u202f234", "1 234 567,89"), ["1234.5", "1234", "1234567.89"]),
        (("12,34,567.89", "1,23,456"), ["1234567.89", "123456"]),
        (("(12.50)", "12.50-", "\u22127.5", "+7.5"), ["-12.50", "-12.50", "-7.5", "7.5"]),
        (("(-5.1)", "-5.1-", "(5", "$5.00", "5 EUR", "1.5h", "1:30", "24:00", "1e3", "NaN", "٣", ""), ["?"] * 12),
        (("1,2345", "1234,567", ".5", "0.125"), ["1.2345", "1234.567", "0.5", "0.125"]),
        (("1,23,45", "12,34.5", "1.234.56", "1,234.567,8", "1 2345"), ["?"] * 5),
    ],
)
def test_columns_of_numbers(cells: tuple[str, ...], read: list[str]) -> None:
    assert column(*cells) == read


@pytest.mark.parametrize("plain", ["1.125", "-12.345", "1234.567", "7.5", "1234", "0.1"])
def test_a_number_that_was_decided_is_decided_by_itself(plain: str) -> None:
    written = number_marks.settled(plain)
    assert float(column(written)[0]) == float(plain)


def days(*dates: str, otherwise: str | None = None) -> list[str]:
    """The dates of a file as days."""
    return each(date_orders.decided(enumerate(dates, 2), SLASHES, otherwise).day, dates)


@pytest.mark.parametrize(
    ("dates", "otherwise", "read"),
    [
        (("05/04/2025", "25/04/2025"), None, ["2025-04-05", "2025-04-25"]),
        (("05/04/2025", "04/25/2025"), None, ["2025-05-04", "2025-04-25"]),
        (("05/04/2025",), None, ["?"]),
        (("05/05/2025",), None, ["2025-05-05"]),  # both orders say the same
        (("05/04/2025", "05/05/2025"), None, ["?", "2025-05-05"]),
        (("05/04/2025", "2025-04-25"), None, ["?", "2025-04-25"]),  # another look decides nothing
        (("25/04/2025", "04/25/2025", "05/04/2025"), SLASHES[0], ["?", "?", "?"]),
        (("05/04/2025",), SLASHES[0], ["2025-05-04"]),
        (("05/04/2025", "25/04/2025"), SLASHES[0], ["2025-04-05", "2025-04-25"]),
        (("05/04/2025", "06/04/2025"), SLASHES[0], ["?", "?"]),  # two days in April lie closer than 4 May and 4 June
        (("04/05/2025", "04/06/2025"), SLASHES[0], ["2025-04-05", "2025-04-06"]),
        (("45000", "5 April 2025", "05/04/25", ""), None, ["?"] * 4),
    ],
)
def test_files_of_dates(dates: tuple[str, ...], otherwise: str | None, read: list[str]) -> None:
    assert days(*dates, otherwise=otherwise) == read


def test_a_mapping_cannot_read_dates_row_by_row_in_two_orders() -> None:
    field = '{$day: $date, format: ["%m/%d/%Y", "%d/%m/%Y"]}'
    publish = f"    publish:\n      - topic: master.calendars\n        fields: {{calendar_id: {field}}}\n"
    with pytest.raises(MappingError, match="read one text as different days; name both in `dates` of `file`"):
        read_mapping("kimai.yaml", MAPPING.replace("    publish: []\n", publish))
