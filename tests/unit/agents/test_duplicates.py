"""Time that two sources sent: held out of invoices once, shown, and settled by one act."""

from datetime import date
from typing import Any

from invoicing.holds import holds_on
from rating.model.facts import TimeEntry
from schemas.codec import decode_for, encode
from streaming.batch import Output
from tables.advisories.duplicates import HOLDS
from tests.unit.agents.advisory_bus import AdvisoryBus, at, worked

DAY = date(2024, 3, 4)


def entry(entry_id: str, source: str, note: str | None = "call with the client", **changed: object) -> TimeEntry:
    return worked(entry_id, source=source, note=note, started_at=None, ended_at=None, **changed)  # type: ignore[arg-type]


def holds(bus: AdvisoryBus) -> list[dict[str, Any]]:
    """The records of `billing.holds`."""
    records = (record for (topic, _), found in bus.log.items() if topic == HOLDS for record in found)
    return [decode_for(HOLDS, record.value or b"") for record in records]


def held(bus: AdvisoryBus) -> set[str]:
    return {subject for _, subject in holds_on(holds(bus), DAY).subjects}


def asked(bus: AdvisoryBus) -> set[str]:
    return {subject for _, subject, code in bus.open() if code == "POSSIBLE_DUPLICATE"}


def after(*entries: TimeEntry) -> AdvisoryBus:
    bus = AdvisoryBus()
    for each in entries:
        bus.publish(each)
        bus.come_to_rest()
    return bus


def test_the_same_work_by_hand_from_toggl_and_from_harvest_counts_once() -> None:
    bus = after(entry("H", "by-hand"), entry("T", "toggl"), entry("V", "harvest", "Client call, WITH the"))
    assert (held(bus), asked(bus)) == ({"time:T", "time:V"}, {"duplicate:T", "duplicate:V"})


def test_work_that_differs_is_not_held() -> None:
    first = entry("H", "by-hand")
    others = (
        entry("A", "toggl", minutes=61),
        entry("B", "toggl", "something else altogether"),
        entry("C", "toggl", engagement_id="ENG-2"),
        entry("D", "toggl", consultant_id="C-2"),
        entry("E", "toggl", work_date=date(2024, 3, 5)),
        entry("F", "by-hand"),  # one source knows its own entries apart
        entry("G", "toggl", billable=False),
        entry("I", "toggl", None, task_id="T-2"),
    )
    for other in others:
        assert held(after(first, other)) == set(), other


def test_without_a_note_the_task_decides_and_a_near_beginning_always() -> None:
    assert held(after(entry("H", "by-hand"), entry("T", "toggl", None))) == {"time:T"}
    begun = worked("H", source="by-hand", note="x"), worked("T", source="toggl", note="y", started_at=at(9, 10))
    assert held(after(*begun)) == {"time:T"}


def test_each_entry_stands_for_one_of_every_other_source() -> None:
    bus = after(entry("H", "by-hand"), entry("T1", "toggl"), entry("T2", "toggl"))
    assert held(bus) == {"time:T1"}


def test_the_hold_goes_with_its_reason() -> None:
    bus = after(entry("H", "by-hand"), entry("T", "toggl"), entry("H", "by-hand", status="withdrawn", revision=2))
    assert (held(bus), asked(bus)) == (set(), set())
    bus.publish(entry("H", "by-hand", revision=3))
    bus.come_to_rest()
    assert held(bus) == {"time:H"}  # now it is the later one
    bus.publish(entry("H", "by-hand", minutes=30, revision=4))
    bus.come_to_rest()
    assert (held(bus), asked(bus)) == (set(), set())


def test_one_act_decides_for_good() -> None:
    for status, left in (("released", set()), ("held", {"time:T"})):
        bus = after(entry("H", "by-hand"), entry("T", "toggl"))
        (hold,) = holds(bus)
        decided = {**hold, "status": status, "by": "lead@example.com", "revision": 2}
        bus.append(Output(HOLDS, b"ENG-1", encode(HOLDS, decided)))
        bus.come_to_rest()
        assert (held(bus), asked(bus)) == (left, set())
        bus.publish(entry("T", "toggl", revision=2), entry("X", "harvest", minutes=5))
        bus.come_to_rest()
        assert (held(bus), asked(bus)) == (left, set())
