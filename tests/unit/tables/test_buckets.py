"""Facts about facts live with the subject they name, wherever it goes and whichever arrives first."""

import pytest

from streaming.state import State
from tables.settlement.bucket_store import BUCKETS, PLACES
from tests.unit.tables.contents import MASTERS, Content, agreed_minutes, decision, entry, line, numbered
from tests.unit.tables.stream import Line, Stream


def settled(*lines: Line) -> Stream:
    """The stream after the masters and these lines, a batch each."""
    stream = Stream()
    stream.deliver(numbered(MASTERS))
    for each in lines:
        stream.deliver([each])
    stream.rest()
    assert stream.books.ledger() == list(stream.books.expected())
    return stream


def ledger(stream: Stream) -> dict[str, tuple[str, int, str | None]]:
    """{subject: (state, billable minutes, code)}."""
    lines = stream.books.ledger()
    return {str(one["subject"]): (one["state"], one["billable_minutes"], one["code"]) for one in lines}  # type: ignore[misc]


def homes(stream: Stream) -> dict[str, set[str]]:
    """{bucket: names of the facts placed there}, of the buckets that are there."""
    state = State(stream.settle_rows)
    found = {name: set[str]() for (_, name), _ in BUCKETS.scan(state, "E1")}
    for (_, fact), bucket in PLACES.scan(state, "E1"):
        if bucket in found:
            found[bucket].add(fact)
    return found


HOUR = line(entry("E1", "1"))
LESS = line(agreed_minutes("E1", "a", "time:1", 30))
UNWANTED = line(decision("E1", "d", "adjustment:a"))


def test_agreed_minutes_wait_for_their_entry_and_apply_when_it_comes() -> None:
    waiting = settled(LESS)
    assert ledger(waiting) == {"adjustment:a": ("parked", 0, "UNKNOWN_SUBJECT")}
    assert homes(waiting) == {"about:time:1": {"adjustment:a", "time:1"}}
    waiting.deliver([HOUR])
    assert ledger(waiting) == {"time:1": ("charged", 30, None)}
    assert homes(waiting) == {"day:C1:2024-01-30": {"adjustment:a", "time:1"}}


def test_a_decision_about_an_adjustment_about_an_entry_comes_along_in_any_order() -> None:
    for lines in ((HOUR, LESS, UNWANTED), (UNWANTED, LESS, HOUR), (LESS, UNWANTED, HOUR), (UNWANTED, HOUR, LESS)):
        stream = settled(*lines)
        assert ledger(stream) == {"time:1": ("charged", 30, None)}
        assert homes(stream) == {"day:C1:2024-01-30": {"time:1", "adjustment:a", "decision:d"}}, lines
    assert ledger(settled(UNWANTED, LESS)) == {"adjustment:a": ("waived", 0, "UNKNOWN_SUBJECT")}


@pytest.mark.parametrize(
    "moved",
    [
        entry("E1", "1", work_date="2024-02-01"),
        entry("E1", "1", consultant_id="C2"),
        entry("E1", "1", status="withdrawn", work_date="2024-02-01"),
    ],
)
def test_an_entry_that_moves_takes_along_what_speaks_of_it(moved: Content) -> None:
    stream = settled(HOUR, LESS, UNWANTED, line(moved, revision=2))
    day = f"day:{moved[1]['consultant_id']}:{moved[1]['work_date']}"
    assert homes(stream) == {day: {"time:1", "adjustment:a", "decision:d"}}
    assert ledger(stream)["time:1"][0] == ("void" if moved[1]["status"] == "withdrawn" else "charged")


def test_an_entry_that_moves_settles_both_its_days() -> None:
    """The day it left is no longer over 24 hours; the day it came to is."""
    long = [line(entry("E1", "1", 900)), line(entry("E1", "2", 900)), line(entry("E1", "3", 900, "2024-01-31"))]
    stream = settled(*long)
    states = {subject: state for subject, (state, _, _) in ledger(stream).items()}
    assert states == {"time:1": "parked", "time:2": "parked", "time:3": "charged"}
    stream.deliver([line(entry("E1", "2", 900, "2024-01-31"), revision=2)])
    states = {subject: state for subject, (state, _, _) in ledger(stream).items()}
    assert states == {"time:1": "charged", "time:2": "parked", "time:3": "parked"}


def test_an_adjustment_that_changes_its_target_frees_the_former_one() -> None:
    other = line(entry("E1", "2", work_date="2024-02-01"))
    stream = settled(HOUR, other, LESS, UNWANTED, line(agreed_minutes("E1", "a", "time:2", 15), revision=2))
    assert ledger(stream) == {"time:1": ("charged", 60, None), "time:2": ("charged", 15, None)}
    assert homes(stream) == {
        "day:C1:2024-01-30": {"time:1"},
        "day:C1:2024-02-01": {"time:2", "adjustment:a", "decision:d"},
    }


def test_an_adjustment_that_becomes_an_amount_stands_for_itself() -> None:
    amount = agreed_minutes("E1", "a", "time:1", kind="amount", amount="-10")
    stream = settled(HOUR, LESS, line(amount, revision=2))
    assert ledger(stream) == {"adjustment:a": ("charged", 0, None), "time:1": ("charged", 60, None)}
    assert homes(stream)["adjustment:a"] == {"adjustment:a"}


def test_ids_of_one_engagement_never_meet_those_of_another() -> None:
    """Also where one id goes on where the other ends, with the character that parts keys."""
    stream = Stream()
    stream.deliver([line(entry("E", "1")), line(entry("E\0", "2")), line(entry("E\0day:C1", "3"))])
    state = State(stream.settle_rows)
    assert [parts for parts, _ in BUCKETS.scan(state, "E")] == [("E", "day:C1:2024-01-30")]
    assert stream.books.ledger() == list(stream.books.expected())
