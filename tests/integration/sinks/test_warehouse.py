"""The warehouse: the last state of each exception, the highest revision of each entry, totals that follow both."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import pytest

from common.errors import SinkFenced
from rating.model.ids import exception_id
from storage.postgres import Pool
from warehouse.aggregates import is_due, sum_up
from warehouse.events import EXCEPTIONS, TIME, TOPICS, Arrival
from warehouse.masters import mirror
from warehouse.queries.exceptions import Filters, causes, listed, totals
from warehouse.writer import Warehouse

AT = datetime(2025, 3, 14, 9, 30, 5, tzinfo=UTC)


def parked(offset: int, subject: str = "time:1", engagement: str = "E1", **changed: object) -> Arrival:
    value: dict[str, object] = {
        "exception_id": exception_id(engagement, subject), "engagement_id": engagement, "subject": subject,
        "revision": 1, "code": "NO_RATE", "message": "No card line fits.",
        "missing": {"kind": "rate", "id": "card RC", "day": date(2025, 3, 14)}, "amount_at_stake": None, "minutes": 60,
        "status": "open", "first_seen": AT, "attempts": 1, "owner": "o@example.com", "region": "EMEA",
        "severity": None,
    }  # fmt: skip
    return Arrival(EXCEPTIONS, 0, offset, AT, value | changed, None)


def entry(offset: int, entry_id: str = "1", revision: int = 1, **changed: object) -> Arrival:
    value: dict[str, object] = {
        "entry_id": entry_id, "engagement_id": "E1", "task_id": "T1", "consultant_id": "C1",
        "work_date": date(2025, 3, 14), "minutes": 60, "labor_category": None, "billable": True, "status": "approved",
        "approved_by": None, "note": None, "source": "test", "revision": revision, "occurred_at": AT,
    }  # fmt: skip
    return Arrival(TIME, 0, offset, AT, value | changed, "lines:1 at source.tock.lines:0:7")


def take(warehouse: Warehouse, arrivals: Sequence[Arrival]) -> None:
    """One batch, from where each topic stands to behind its last record."""
    at = warehouse.positions(0)
    topics = {arrival.topic for arrival in arrivals}
    ends = {topic: (at[topic], max(a.offset for a in arrivals if a.topic == topic) + 1) for topic in topics}
    warehouse.write(0, ends, arrivals)


def ask(pool: Pool, query: str) -> list[tuple[object, ...]]:
    with pool.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def test_the_last_state_stands_and_a_batch_is_taken_once(pool: Pool) -> None:
    warehouse = Warehouse(pool)
    assert warehouse.positions(0) == dict.fromkeys(TOPICS, 0)
    batch = [parked(0), parked(1, status="resolved"), parked(2, "time:2", amount_at_stake=Decimal("12.5"))]
    take(warehouse, batch)
    take(warehouse, [parked(3, status="open", attempts=2, minutes=90)])
    assert warehouse.positions(0)[EXCEPTIONS] == 4
    with pytest.raises(SinkFenced):
        warehouse.write(0, {EXCEPTIONS: (0, 3)}, batch)
    states = ask(pool, "SELECT subject, status, minutes, amount FROM hourstream.exceptions ORDER BY subject")
    assert states == [("time:1", "open", 90, None), ("time:2", "open", 60, Decimal("12.500000"))]
    told = ask(pool, "SELECT what FROM hourstream.history WHERE subject = 'time:1' ORDER BY record_offset")
    assert [str(what).split(" ")[0] for (what,) in told] == ["open", "resolved", "open"]


def test_the_highest_revision_wins_and_of_equal_ones_the_first(pool: Pool) -> None:
    warehouse = Warehouse(pool)
    take(
        warehouse,
        [entry(0, revision=2, minutes=20), entry(1, revision=1, minutes=10), entry(2, revision=2, minutes=99)],
    )
    take(warehouse, [entry(3, revision=2, minutes=98), entry(4, "2", status="submitted"), entry(5, "2", 2)])
    assert ask(pool, "SELECT entry_id, revision, minutes FROM hourstream.time_entries ORDER BY 1") == [
        ("1", 2, 20),
        ("2", 2, 60),
    ]
    counted = "SELECT status, entries, minutes FROM hourstream.time_totals WHERE entries <> 0 ORDER BY 1"
    assert ask(pool, counted) == [("approved", 2, 80)]
    assert ask(pool, "SELECT DISTINCT source FROM hourstream.history") == [("lines:1 at source.tock.lines:0:7",)]


def test_totals_are_those_of_the_rows_whatever_happened(pool: Pool) -> None:
    draw, warehouse = Random(5), Warehouse(pool)
    for start in range(0, 400, 40):
        take(warehouse, [_drawn(draw, offset) for offset in range(start, start + 40)])
    kept = (
        "SELECT engagement_id, split_part(subject, ':', 1), code, missing_kind, missing_id, status, region, owner,"
        " count(*), sum(minutes), coalesce(sum(amount), 0), count(amount),"
        " coalesce(sum(minutes) FILTER (WHERE amount IS NOT NULL), 0), severity FROM hourstream.exceptions"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, severity ORDER BY 1, 2, 3, 4, 5, 6, 7, 8"
    )
    counted = "SELECT * FROM hourstream.exception_totals WHERE subjects <> 0 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8"
    assert ask(pool, counted) == ask(pool, kept)
    assert (
        ask(pool, "SELECT 1 FROM hourstream.exception_totals WHERE subjects = 0 AND (minutes, amount) <> (0, 0)") == []
    )


def _drawn(draw: Random, offset: int) -> Arrival:
    return parked(
        offset,
        f"{draw.choice(['time', 'expense'])}:{draw.randrange(30)}",
        f"E{draw.randrange(3)}",
        code=draw.choice(["NO_RATE", "UNKNOWN_TASK"]),
        missing=draw.choice([None, {"kind": "task", "id": "T1", "day": None}]),
        amount_at_stake=draw.choice([None, Decimal("1.5"), Decimal("-2")]),
        minutes=draw.randrange(100),
        status=draw.choice(["open", "waived", "resolved"]),
        region=draw.choice(["EMEA", ""]),
    )


def test_sums_are_due_after_a_change_alone(pool: Pool) -> None:
    warehouse = Warehouse(pool)
    assert is_due(pool)
    sum_up(pool)
    assert not is_due(pool)
    take(warehouse, [entry(0, status="submitted"), entry(1, "2"), parked(0, "time:2")])
    assert is_due(pool)
    sum_up(pool)
    assert not is_due(pool)
    unbilled = "SELECT stage, work_date, subjects, minutes FROM hourstream.unbilled ORDER BY 1"
    day = date(2025, 3, 14)
    assert ask(pool, unbilled) == [("parked", day, 1, 60), ("submitted", day, 1, 60)]
    assert ask(pool, "SELECT name, records, minutes FROM hourstream.figures ORDER BY 1") == [
        ("approved", 1, 60),
        ("parked", 1, 60),
    ]


def test_a_warning_is_shown_and_counts_as_nothing_on_hold(pool: Pool) -> None:
    """An hour is parked; two warnings stand beside it, of which one tells minutes all the same."""
    warehouse = Warehouse(pool)
    overlap = parked(1, "overlap:1", code="OVERLAPPING_TIME", missing=None, minutes=0, severity="warning")
    day = parked(2, "person-day:C1:2025-03-14", "", code="PERSON_DAY_OVER_24H", missing=None, severity="warning")
    take(warehouse, [parked(0), overlap, day])
    sum_up(pool)
    assert ask(pool, "SELECT stage, subjects, minutes FROM hourstream.unbilled") == [("parked", 1, 60)]
    assert ask(pool, "SELECT name, records, minutes FROM hourstream.figures WHERE name = 'parked'") == [
        ("parked", 1, 60)
    ]
    flow = ask(pool, "SELECT what, sum(records) FROM hourstream.flow GROUP BY 1 ORDER BY 1")
    assert flow == [("exceptions open", 1), ("warnings open", 2)]
    with pool.connection() as connection, connection.cursor() as cursor:
        blocking, warnings = (totals(cursor, Filters(severity=each)) for each in ("blocking", "warning"))
        assert (blocking.subjects, blocking.minutes, warnings.subjects) == (1, 60, 2)
        assert {cause.code: cause.severity for cause in causes(cursor, Filters(), by_money=True)} == {
            "NO_RATE": "blocking",
            "OVERLAPPING_TIME": "warning",
            "PERSON_DAY_OVER_24H": "warning",
        }
        assert [one.subject for one in listed(cursor, Filters(severity="blocking"))] == ["time:1"]


def test_masters_are_mirrored_and_the_last_stands(pool: Pool) -> None:
    stamp = {"source": "crm", "revision": 1, "occurred_at": AT}
    of = {"system": "tempo", "kind": "task", "code": "2", **stamp}
    first, second = {**of, "canonical_id": "T1"}, {**of, "canonical_id": "T2", "revision": 2}
    mirror(pool, [("master.code-map", "tempo:task:2", first), ("master.code-map", "tempo:task:2", second)])
    mirror(pool, [])
    found = ask(pool, "SELECT identity, record ->> 'canonical_id', record ->> 'occurred_at' FROM hourstream.masters")
    assert found == [("tempo:task:2", "T2", "2025-03-14T09:30:05.000Z")]
