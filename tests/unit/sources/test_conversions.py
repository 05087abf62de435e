"""Texts as people write them: what is read, and what is refused because nobody can tell what it means."""

from datetime import UTC, datetime

import pytest

from sources.mapping.conversions import day, instant, matched, minutes_between, number
from sources.mapping.split import whole_minutes

BERLIN = "Europe/Berlin"
LOCAL = ("%d.%m.%Y %H:%M",)


def at(text: str, ambiguous: str | None = None) -> datetime:
    return instant(text, LOCAL, BERLIN, ambiguous)


@pytest.mark.parametrize(
    ("begin", "end", "minutes"),
    [
        ("29.03.2025 22:00", "30.03.2025 06:00", 7 * 60),  # clocks put forward in between
        ("30.03.2025 01:30", "30.03.2025 03:30", 60),
        ("25.10.2025 22:00", "26.10.2025 06:00", 9 * 60),  # and back
        ("26.10.2025 01:30", "26.10.2025 03:30", 3 * 60),
        ("27.10.2025 01:30", "27.10.2025 03:30", 2 * 60),
    ],
)
def test_time_passes_as_it_does_not_as_clocks_show(begin: str, end: str, minutes: int) -> None:
    assert minutes_between(at(begin).isoformat(), at(end).isoformat()) == minutes


def test_a_time_that_clocks_skipped_is_none_and_one_they_showed_twice_is_asked_about() -> None:
    with pytest.raises(ValueError, match="clocks were put forward over it"):
        at("30.03.2025 02:30")
    with pytest.raises(ValueError, match="which one is not said"):
        at("26.10.2025 02:30")
    assert at("26.10.2025 02:30", "earlier") == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert at("26.10.2025 02:30", "later") == datetime(2025, 10, 26, 1, 30, tzinfo=UTC)


def test_twelve_hour_clocks() -> None:
    form = ("%m/%d/%Y %I:%M %p",)
    shown = [
        instant(f"03/28/2025 {text}", form, "UTC").strftime("%H:%M") for text in ("12:05 AM", "12:05 PM", "1:05 pm")
    ]
    assert shown == ["00:05", "12:05", "13:05"]
    with pytest.raises(ValueError, match="not of the form"):
        instant("03/28/2025 13:05", form, "UTC")


def test_the_day_is_that_of_the_zone_or_of_the_text() -> None:
    assert day("2025-03-29T23:30:00+00:00", zone=BERLIN).isoformat() == "2025-03-30"
    assert day("2025-03-29T23:30:00+00:00").isoformat() == "2025-03-29"
    assert day("31.12.2024", ("%Y-%m-%d", "%d.%m.%Y"), plus=1).isoformat() == "2025-01-01"
    with pytest.raises(ValueError, match="does not say its offset"):
        day("2025-03-29T23:30:00", zone=BERLIN)


@pytest.mark.parametrize(
    ("text", "how", "read"),
    [
        ("7,5", {"points": (".", ",")}, "7.5"),
        ("7.5", {"points": (".", ",")}, "7.5"),
        ("-7", {}, "-7"),
        ("$1,234.50", {"without": "$", "grouping": ","}, "1234.50"),
        ("1.234.567,89", {"points": (",",), "grouping": "."}, "1234567.89"),
        ("1 234,5 €", {"points": (",",), "grouping": " ", "without": "€"}, "1234.5"),
        ("12", {"points": (",",), "grouping": "."}, "12"),
    ],
)
def test_numbers(text: str, how: dict[str, object], read: str) -> None:
    assert number(text, **how) == read  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("1.5", {"points": (",",), "grouping": "."}),  # neither fifteen nor one and a half
        ("1,234,5", {"grouping": ","}),
        ("1.089,90", {"grouping": ","}),
        ("7,5", {}),
        ("1,5.2", {"points": (".", ",")}),
        ("", {}),
        ("٣", {}),
        ("NaN", {}),
        ("1e3", {}),
    ],
)
def test_what_is_no_number(text: str, how: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is no number"):
        number(text, **how)  # type: ignore[arg-type]


def test_a_part_of_a_text() -> None:
    assert matched("Euro - EUR", "([A-Z]{3})$") == "EUR"
    with pytest.raises(ValueError, match="has nothing of the form"):
        matched("euro", "([A-Z]{3})$")


@pytest.mark.parametrize(
    ("text", "unit", "minutes"),
    [("1:30", "h:mm", 90), ("100:00", "h:mm", 6000), ("00:00:29", "h:mm:ss", 0), ("00:00:30", "h:mm:ss", 1)],
)
def test_durations_of_clocks(text: str, unit: str, minutes: int) -> None:
    assert whole_minutes(text, unit) == minutes  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "unit"), [("1:60", "h:mm"), ("1:30", "h:mm:ss"), ("1:30:00", "h:mm"), ("1.5", "h:mm")]
)
def test_what_is_no_duration(text: str, unit: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        whole_minutes(text, unit)  # type: ignore[arg-type]


def test_nothing_ends_before_it_begins() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        minutes_between("2025-01-01T10:00:00Z", "2025-01-01T09:00:00Z")
