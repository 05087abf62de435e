"""Whatever order source records arrive in, and whatever they said before: the same canonical records win."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sources.intake import Tock

Record = dict[str, Any] | None  # None: deleted
Version = tuple[str, int, Record]

_ids = st.integers(1, 2)
_hours = st.sampled_from(["0.00", "0.05", "8.00", "36.03", "much"])
_weeks = st.sampled_from([("2015-04-05", "2015-04-11"), ("2015-04-06", "2015-04-08"), ("2015-04-11", "2015-04-12")])
_starts = st.sampled_from(["2014-10-07", "2015-03-01", "2015-04-07"])

_codes = st.fixed_dictionaries(
    {"agency": _ids, "billable": st.booleans(), "code": st.just("C"), "office": st.just("East")}
)
_projects = st.fixed_dictionaries({"accounting_code": _ids, "name": st.sampled_from(["P", "Q"])})
_periods = _weeks.map(lambda week: {"start_date": week[0], "end_date": week[1]})
_timecards = st.fixed_dictionaries({"user": _ids, "reporting_period": _ids})
_grades = st.fixed_dictionaries({"employee": _ids, "grade": st.integers(11, 13), "g_start_date": _starts})
_users = st.fixed_dictionaries({"first_name": st.just("Ada"), "last_name": st.sampled_from(["L", "M"])})
_lines = st.fixed_dictionaries(
    {
        "timecard": _ids,
        "project": _ids,
        "hours_spent": _hours,
        "grade": st.none() | _ids,
        "created": st.just("2015-04-06T14:09:33.703Z"),
    }
)


def _versions(
    entity: str, record_id: int, records: st.SearchStrategy[Any], fewest: int
) -> st.SearchStrategy[list[Version]]:
    """What the source said of one record, in its order; some of it twice."""
    return st.lists(records, min_size=fewest, max_size=3).map(
        lambda said: [(entity, record_id, record) for record in said]
    )


def _deletable(records: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Record]:
    return records | st.none()


# Codes and projects are masters, which are never withdrawn: each is there and stays, or its own history would show.
_histories = st.tuples(
    *(_versions("accounting_codes", number, _codes, 1) for number in (1, 2)),
    *(_versions("projects", number, _projects, 1) for number in (1, 2)),
    *(_versions("users", number, _users, 1) for number in (1, 2)),
    *(_versions("grades", number, _deletable(_grades), 0) for number in (1, 2)),
    *(_versions("reporting_periods", number, _deletable(_periods), 0) for number in (1, 2)),
    *(_versions("timecards", number, _deletable(_timecards), 0) for number in (1, 2)),
    *(_versions("lines", number, _deletable(_lines), 0) for number in (1, 2, 3)),
)


@st.composite
def _arrivals(draw: st.DrawFn) -> tuple[list[Version], list[Version]]:
    """Histories of all records, interleaved in any way, and what stands at their end."""
    histories = draw(_histories)
    turns = draw(st.permutations([place for place, history in enumerate(histories) for _ in history]))
    iterators = [iter(history) for history in histories]
    return [next(iterators[turn]) for turn in turns], [history[-1] for history in histories if history]


def _intake(versions: list[Version]) -> Tock:
    tock = Tock()
    for entity, record_id, record in versions:
        if record is None:
            tock.deletes(entity, record_id)
        else:
            tock.sends(entity, record_id, **record)
    return tock


@settings(max_examples=300, deadline=None)
@given(_arrivals())
def test_only_what_stands_counts(arrivals: tuple[list[Version], list[Version]]) -> None:
    history, standing = arrivals
    arrived, plain = _intake(history), _intake([version for version in standing if version[2] is not None])
    assert arrived.standing() == plain.standing()
    assert arrived.mapper.waiting(arrived.state) == plain.mapper.waiting(plain.state)
    waiting = [missing[0] for _, _, missing in arrived.mapper.waiting_records(arrived.state)]
    assert arrived.mapper.waiting(arrived.state) == {entity: waiting.count(entity) for entity in waiting}
