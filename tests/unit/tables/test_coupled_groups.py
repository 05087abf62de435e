"""What settles together in the engine: months, whole lives, expenses beside time, and work that a period makes late."""

import pytest

from tests.unit.tables import contents
from tests.unit.tables.contents import Content, Json, Revisions, line
from tests.unit.tables.stream import Line, Stream

EARLY, CLOSING, LATE = (f"2024-02-{day}T00:00:00.000Z" for day in (10, 11, 12))
MINIMUM = {"minimum": {"amount": "500"}}
CAP_ON_ALL = {"cap": {"amount": "150", "policy": "park", "scope": "time_and_expenses"}}


def stream_of(*lines: Content, **terms: object) -> Stream:
    """The masters, with terms on engagement E1, and then each line in a batch of its own."""
    stream, revisions = Stream(), Revisions()
    stream.deliver([revisions.next(each) for each in contents.MASTERS])
    deliver(stream, *(revisions.next(each) for each in (contents.engagement("E1", **terms), *lines)))
    return stream


def deliver(stream: Stream, *lines: Line) -> None:
    """Each line in a batch of its own."""
    for each in lines:
        stream.deliver([each])
    stream.rest()


def at(content: Content, occurred_at: str) -> Content:
    """The content of that moment."""
    return content[0], content[1] | {"occurred_at": occurred_at}


def of(stream: Stream, subject: str) -> tuple[str, str, str | None]:
    """(state, amount, code) of a subject of E1."""
    [found] = [each for each in stream.books.ledger() if (each["engagement_id"], each["subject"]) == ("E1", subject)]
    return str(found["state"]), str(found["amount"]), None if found["code"] is None else str(found["code"])


def entry(one: str, minutes: int = 60, day: str = "2024-01-30", **rest: object) -> Content:
    """Time of engagement E1, at 100.01 an hour: C2 has no category, so no daily rate."""
    return contents.entry("E1", one, minutes, day, **({"consultant_id": "C2"} | rest))


def test_a_minimum_follows_the_time_of_its_month_and_of_no_other() -> None:
    stream = stream_of(entry("1"), contents.period("E1", "2024-01", "closed"), entry("2", day="2024-02-01"), **MINIMUM)
    assert of(stream, "minimum:2024-01") == ("charged", "399.99", None)
    deliver(stream, line(entry("3")))
    assert of(stream, "minimum:2024-01") == ("charged", "299.98", None)
    deliver(stream, line(entry("3", status="withdrawn"), 2), line(contents.period("E1", "2024-01", "open"), 2))
    assert [each for each in stream.books.ledger() if str(each["subject"]).startswith("minimum:")] == []


def test_a_waived_minimum_is_decided_before_or_after_its_period() -> None:
    decision = contents.decision("E1", "d", "minimum:2024-01")
    period = contents.period("E1", "2024-01", "closed")
    for lines in ((decision, period), (period, decision)):
        stream = stream_of(*lines, status="draft", **MINIMUM)
        assert of(stream, "minimum:2024-01") == ("waived", "0", "ENGAGEMENT_NOT_ACTIVE")


def test_a_cumulative_line_goes_over_consultants_of_a_month() -> None:
    entries = [entry(str(n), 20, f"2024-01-{30 - n}", consultant_id=f"C{n}") for n in (1, 2)]
    terms: Json = {"amount_rounding": "cumulative", "blended_rate": {"amount": "100", "unit": "hour"}}
    terms |= {"rounding": {"increment_minutes": 1, "mode": "up", "scope": "entry"}}
    stream = stream_of(contents.consultant("C1", None), *entries, entry("3", 20), **terms)
    assert [of(stream, f"time:{n}")[1] for n in "213"] == ["33.33", "33.34", "33.33"]
    deliver(stream, line(entry("0", 20, "2024-01-02")))
    assert [of(stream, f"time:{n}")[1] for n in "0213"] == ["33.33", "33.34", "33.33", "33.33"]


def test_a_cap_on_expenses_follows_time_and_the_other_way() -> None:
    stream = stream_of(contents.expense("E1", "x", "2024-01-31"), entry("1", 120, "2024-01-31"), **CAP_ON_ALL)
    assert of(stream, "expense:x") == ("charged", "10.01", None)
    assert of(stream, "time:1") == ("charged", "139.99", "CAP_EXCEEDED")
    deliver(stream, line(entry("0", 120)))
    assert of(stream, "expense:x") == ("parked", "0", "CAP_EXCEEDED")
    deliver(stream, line(entry("0", 120, status="withdrawn"), 2))
    assert of(stream, "expense:x") == ("charged", "10.01", None)


LATE_FACTS = {
    "time:1": entry("1"),
    "expense:x": contents.expense("E1", "x", "2024-01-31"),
    "outcome:o": contents.outcome("E1", "o", "calls", "1", "2024-01-31"),
}


@pytest.mark.parametrize("subject", LATE_FACTS)
def test_a_period_makes_work_late_that_is_there_and_releases_it(subject: str) -> None:
    fact, closed = at(LATE_FACTS[subject], LATE), contents.period("E1", "2024-01", "closed")
    stream = stream_of(fact, late_policy="park")
    assert of(stream, subject)[0] == "charged"
    deliver(stream, line(at(closed, CLOSING)))
    assert of(stream, subject) == ("parked", "0", "PERIOD_CLOSED")
    deliver(stream, line(at(closed, LATE), 2))
    assert of(stream, subject)[0] == "charged"
    deliver(stream, line(at(closed, EARLY), 3), line(contents.period("E1", "2024-01", "open"), 4))
    assert of(stream, subject)[0] == "charged"


@pytest.mark.parametrize("subject", LATE_FACTS)
def test_an_earlier_repeat_releases_late_work_whenever_it_comes(subject: str) -> None:
    closed = at(contents.period("E1", "2024-01", "closed"), CLOSING)
    late, early = at(LATE_FACTS[subject], LATE), at(LATE_FACTS[subject], EARLY)
    for lines in ([late, early, closed], [early, late, closed], [closed, late, early]):
        stream = stream_of(late_policy="park")
        deliver(stream, *(line(each) for each in lines))
        assert of(stream, subject)[0] == "charged"
        assert stream.books.ledger() == list(stream.books.expected())


def test_an_earlier_repeat_of_a_closing_makes_work_late() -> None:
    closed, fact = contents.period("E1", "2024-01", "closed"), at(entry("1"), CLOSING)
    stream = stream_of(late_policy="park")
    deliver(stream, line(fact), line(at(closed, LATE)))
    assert of(stream, "time:1")[0] == "charged"
    deliver(stream, line(at(closed, EARLY)))
    assert of(stream, "time:1") == ("parked", "0", "PERIOD_CLOSED")


def test_an_earlier_repeat_of_plain_time_counts_once_late_work_is_parked() -> None:
    stream = stream_of()
    closed = at(contents.period("E1", "2024-01", "closed"), CLOSING)
    deliver(stream, line(at(entry("1"), LATE)), line(at(entry("1"), EARLY)), line(at(entry("2"), LATE)), line(closed))
    deliver(stream, line(contents.engagement("E1", late_policy="park"), 3))
    assert of(stream, "time:1")[0] == "charged"
    assert of(stream, "time:2") == ("parked", "0", "PERIOD_CLOSED")
