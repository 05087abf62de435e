"""Instants are exact to the millisecond in every year that a record may name."""

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from common.timestamps import instant, instant_text

FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999  # of the years 1 and 9999


@given(st.integers(FIRST, LAST))
@example(FIRST)
@example(LAST)
def test_milliseconds_are_whole_and_come_back(ms: int) -> None:
    at = instant(ms)
    assert at.microsecond % 1000 == 0
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    assert (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000 == ms


def test_the_last_millisecond_of_all_is_said_as_it_is() -> None:
    assert instant_text(instant(LAST)) == "9999-12-31T23:59:59.999Z"
