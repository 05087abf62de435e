"""A rule that raises when a master changes parks the subjects it cannot settle; a record that makes it raise is not
taken. Either way everything beside it goes on, and the books tie again once the defect is mended."""

from typing import Any

import pytest

from common.isolation import ISOLATED
from rating.model.charge import Settled
from rating.model.facts import Facts
from rating.model.masters import Masters
from rating.settle import settle
from tables.settlement import engine
from tables.settlement.masters_snapshot import LOOKUPS_HEADER, TOPIC
from tests.unit.tables.contents import MASTERS, engagement, entry, line, numbered, rate_card
from tests.unit.tables.stream import Stream, wire

DEFECT = "2024-01-03"


@pytest.fixture
def stream() -> Stream:
    """An hour on each of five days of E1 and of E2, settled."""
    stream = Stream()
    stream.deliver(numbered(MASTERS))
    stream.deliver([line(entry(e, str(n), work_date=f"2024-01-0{n}")) for e in ("E1", "E2") for n in range(1, 6)])
    stream.rest()
    return stream


def with_a_defect(engagement_id: str, facts: Facts, masters: Masters, *more: Any) -> Settled:  # noqa: ANN401
    """The rules, which fail of one day of E1."""
    if engagement_id == "E1" and any(str(fact.work_date) == DEFECT for fact in facts.time):
        raise ZeroDivisionError("a defect of a rule")
    return settle(engagement_id, facts, masters, *more)


def charges_of_e1(stream: Stream) -> int:
    return [record["engagement_id"] for record in stream.said("billing.ready")].count("E1")


def failures(stream: Stream) -> list[tuple[str, str, str]]:
    said = stream.said("billing.exceptions")
    return [(r["engagement_id"], r["subject"], r["status"]) for r in said if r["code"] == "SETTLEMENT_FAILED"]


def test_a_changed_master_settles_everything_but_what_fails(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    charged, before = charges_of_e1(stream), ISOLATED.counts()["scope"]
    monkeypatch.setattr(engine, "settle", with_a_defect)
    stream.deliver([line(rate_card("100.01", "900"), revision=2)])
    stream.rest()  # the sweep has an end
    assert failures(stream) == [("E1", "time:3", "open")]
    assert ISOLATED.counts()["scope"] == before + 1
    assert charges_of_e1(stream) == charged + 2 * 4  # each of its other days is reversed and charged
    assert stream.residue() == 0

    monkeypatch.undo()
    stream.deliver([line(rate_card("100.02", "900"), revision=3)])
    stream.rest()
    assert failures(stream)[-1] == ("E1", "time:3", "resolved")
    assert stream.books.ledger() == list(stream.books.expected())


def test_a_record_that_comes_to_a_failed_scope_is_taken_and_waits(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "settle", with_a_defect)
    stream.deliver([line(rate_card("100.01", "900"), revision=2)])
    stream.rest()
    stream.deliver([line(entry("E1", "new", work_date=DEFECT, status="submitted"))])
    stream.deliver([line(entry("E1", "new", work_date=DEFECT), revision=2)])
    assert ("E1", "time:new", "open") in failures(stream)
    assert stream.residue() == 0
    monkeypatch.undo()
    stream.deliver([line(rate_card("100.02", "900"), revision=3)])
    stream.rest()
    assert stream.books.ledger() == list(stream.books.expected())


def test_a_record_that_makes_the_rules_fail_is_not_taken(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "settle", with_a_defect)
    with pytest.raises(ZeroDivisionError):
        stream.deliver([line(entry("E1", "3", minutes=30, work_date=DEFECT), revision=2)])
    assert failures(stream) == []


def put_terms(stream: Stream, minutes: int, revision: int) -> None:
    """E1 with an increment straight on masters.current: the masters process would refuse one of 0 minutes."""
    content = engagement("E1", rounding={"increment_minutes": minutes, "mode": "up", "scope": "entry"})
    at = stream.masters.snapshot().end
    record = wire(line(content, revision), at)._replace(
        topic=TOPIC, key=b"master.engagements:E1", headers=((LOOKUPS_HEADER, b'["*"]'),)
    )
    stream.masters.apply([record], at + 1)


def test_terms_beyond_a_bound_hold_the_facts_of_their_engagement_and_no_other(stream: Stream) -> None:
    put_terms(stream, 0, revision=2)
    stream.deliver([line(entry(name, "new", work_date="2024-01-09")) for name in ("E1", "E3")])
    stream.rest()
    assert ("E1", "time:new", "open") in failures(stream)
    assert stream.said("dead.letters") == []
    assert stream.residue() == 0
    assert "time:new" in {r["subject"] for r in stream.said("billing.ready") if r["engagement_id"] == "E3"}

    put_terms(stream, 15, revision=3)
    stream.rest()
    assert failures(stream)[-1][2] == "resolved"
    assert "time:new" in {r["subject"] for r in stream.said("billing.ready") if r["engagement_id"] == "E1"}
