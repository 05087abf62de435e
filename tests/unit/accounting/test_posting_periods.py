"""A posting goes to the first accounting period open when its charge was decided; a closed one never changes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.posting_periods import PeriodAct, Position, PostingPeriods

FIFTH = datetime(2024, 2, 5, 12, tzinfo=UTC)
JANUARY = PeriodAct("LE", "2024-01", True, FIFTH, {"journal": {0: 100}})


def decided(at: datetime, offset: int, system: str = "journal") -> Position:
    return Position(at, system, 0, offset)


def test_a_month_is_open_until_it_is_closed() -> None:
    assert PostingPeriods(()).period_of("LE", "2024-01", decided(FIFTH, 7)) == "2024-01"
    assert PostingPeriods([JANUARY]).period_of("LE", "2024-01", decided(FIFTH - timedelta(seconds=1), 99)) == "2024-01"


def test_work_of_a_closed_month_goes_to_the_next_open_one() -> None:
    periods = PostingPeriods([JANUARY])
    later = decided(FIFTH + timedelta(days=1), 100)
    assert periods.period_of("LE", "2024-01", later) == "2024-02"
    assert periods.period_of("LE", "2023-06", later) == "2024-02"  # an earlier month is closed with it
    assert periods.period_of("LE", "2024-03", later) == "2024-03"


def test_another_legal_entity_has_periods_of_its_own() -> None:
    assert PostingPeriods([JANUARY]).period_of("LE-2", "2024-01", decided(FIFTH, 100)) == "2024-01"


def test_december_is_followed_by_january() -> None:
    closed = PostingPeriods([PeriodAct("LE", "2023-12", True, FIFTH)])
    assert closed.period_of("LE", "2023-12", None) == "2024-01"


def test_a_month_opened_again_takes_work_of_itself_and_of_earlier_ones() -> None:
    acts = [PeriodAct("LE", "2024-03", True, FIFTH), PeriodAct("LE", "2024-02", False, FIFTH)]
    periods = PostingPeriods(acts)
    assert [periods.period_of("LE", f"2024-0{n}", None) for n in (1, 2, 3, 4)] == [
        "2024-02",
        "2024-02",
        "2024-04",
        "2024-04",
    ]
    again = PostingPeriods([*acts, PeriodAct("LE", "2024-02", True, FIFTH)])
    assert again.period_of("LE", "2024-02", None) == "2024-04"


def test_what_a_journal_had_not_read_at_the_close_does_not_change_the_closed_month() -> None:
    """Decided a second before the close, published behind what the journal had posted by then."""
    before = FIFTH - timedelta(seconds=1)
    assert PostingPeriods([JANUARY]).period_of("LE", "2024-01", decided(before, 100)) == "2024-02"


def test_a_journal_made_anew_gives_the_periods_of_the_first() -> None:
    periods = PostingPeriods([JANUARY])
    for offset in (99, 100):
        at = FIFTH - timedelta(seconds=1)
        first = periods.period_of("LE", "2024-01", decided(at, offset))
        assert periods.period_of("LE", "2024-01", decided(at, offset, "a second journal")) == first


_MONTHS = st.sampled_from([f"2024-{n:02d}" for n in range(1, 7)])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_MONTHS, st.booleans(), st.integers(0, 3)), max_size=8), st.lists(_MONTHS, max_size=12))
def test_no_month_that_is_closed_ever_gets_a_posting(acts: list[tuple[str, bool, int]], months: list[str]) -> None:
    """Acts and charges in turn: whatever is posted behind an act, its periods are those open after it."""
    known, offset, posted = list[PeriodAct](), 0, list[tuple[int, str]]()
    waiting = iter(months)
    for n, (month, closes, charges) in enumerate(acts):
        known.append(PeriodAct("LE", month, closes, FIFTH + timedelta(hours=n), {"journal": {0: offset}}))
        for work in (each for _, each in zip(range(charges), waiting, strict=False)):
            # Decided an hour before the act, or after it.
            for at in (FIFTH + timedelta(hours=n - 1), FIFTH + timedelta(hours=n, minutes=1)):
                period = PostingPeriods(known).period_of("LE", work, decided(at, offset))
                assert not PostingPeriods(known).is_closed("LE", period)
                assert period >= work
                posted.append((offset, period))
                offset += 1
    for place, period in posted:
        applied = PostingPeriods([act for act in known if act.ends["journal"][0] <= place])
        assert not applied.is_closed("LE", period)
