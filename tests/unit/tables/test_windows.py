"""Live figures: windows by the broker's append time, totals, both of them rows that outlive the process."""

import pytest

from streaming.state import MemoryRows, State
from tables.rollup_sums import RollupSums, sums
from tables.windows import KEPT_MINUTES, TOTAL, WINDOW, Tally, totals, windows

MINUTE = 60_000
NOW = 30_000_000 * MINUTE + 12_345


def counted(rows: MemoryRows, *counts: tuple[str, int, int]) -> None:
    """One committed batch of (outcome, minutes ago, how many)."""
    tally, state = Tally(), State(rows)
    for outcome, ago, n in counts:
        tally.count(outcome, NOW - ago * MINUTE, n)
    tally.write(state)
    rows.commit(state)


def test_each_span_counts_the_minutes_that_end_with_this_one() -> None:
    rows = MemoryRows()
    counted(rows, ("received", 59, 1), ("received", 5, 10), ("received", 4, 100), ("received", 0, 1000))
    counted(rows, ("received", 60, 10_000), ("received", -1, 100_000), ("dead", 0, 2))
    figures = windows(rows.items(), NOW)
    assert [figures[span, "received"] for span in (1, 5, 60)] == [1000, 1100, 1111]
    assert figures[1, "dead"] == 2


def test_figures_age_by_the_clock_without_any_further_record() -> None:
    rows = MemoryRows()
    counted(rows, ("received", 0, 7))
    assert windows(rows.items(), NOW)[1, "received"] == 7
    later = windows(rows.items(), NOW + MINUTE)
    assert (later[1, "received"], later[5, "received"]) == (0, 7)
    assert windows(rows.items(), NOW + 60 * MINUTE)[60, "received"] == 0


def test_batches_of_one_minute_add_up_and_a_restart_changes_no_figure() -> None:
    rows = MemoryRows()
    for _ in range(3):
        counted(rows, ("received", 1, 2), ("charged", 1, 1))
    before = windows(rows.items(), NOW)
    restored = MemoryRows(rows)  # what a changelog gives back
    assert windows(restored.items(), NOW) == before
    assert (before[5, "received"], before[5, "charged"]) == (6, 3)


def test_minutes_that_no_window_reaches_are_dropped() -> None:
    rows = MemoryRows()
    counted(rows, ("received", KEPT_MINUTES + 1, 1), ("dead", KEPT_MINUTES + 500, 1))
    counted(rows, ("received", KEPT_MINUTES, 1))
    counted(rows, ("received", 0, 1))
    ages = [NOW // MINUTE - int(parts[0]) for parts, _ in WINDOW.scan(State(rows))]
    assert ages == [KEPT_MINUTES, 0]


def test_nothing_counted_is_no_row() -> None:
    rows = MemoryRows()
    tally, state = Tally(), State(rows)
    tally.count("dead", 0, 0)
    tally.add(0, "parked", "NO_RATE", "EMEA")
    tally.add(5, "charged_minutes")
    tally.add(-5, "charged_minutes")
    tally.write(state)
    assert state.changes == {}


def test_totals_run_by_name_and_labels() -> None:
    rows = MemoryRows()
    for step in (3, -1):
        tally, state = Tally(), State(rows)
        tally.add(step, "parked", "NO_RATE", "EMEA")
        tally.add(1, "charges")
        tally.write(state)
        rows.commit(state)
    assert totals(rows.items()) == {("parked", "NO_RATE", "EMEA"): 2, ("charges",): 2}
    assert TOTAL.get(State(rows), "charges") == 2


@pytest.mark.parametrize("amount", [10**18, -(10**18), 2**64, 10**30])
def test_totals_and_sums_of_any_size_are_kept(amount: int) -> None:
    rows = MemoryRows()
    for _ in range(30):
        state, tally, sums_of_batch = State(rows), Tally(), RollupSums()
        tally.add(amount, "charge_amount", "EUR")
        sums_of_batch.move({}, {("ready_amount", "EUR"): amount})
        tally.write(state)
        sums_of_batch.write(state)
        rows.commit(state)
    assert totals(rows.items()) == {("charge_amount", "EUR"): 30 * amount}
    assert sums(rows.items()) == {("ready_amount", "EUR"): 30 * amount}
