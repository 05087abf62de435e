"""Codes may be mapped before, between or after the records that use them, and mapped anew: the same entries stand.

Revisions decide on the code map and between worklogs, so these arrive in any order and twice; people have none.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sources.intake import Tracker

NAMES, EMAILS, PROJECTS, ISSUES = ("ada", "bob"), ("a@x", "b@x"), ("P", "Q"), ("1", "2")
CODES = [
    *(("consultant", email) for email in EMAILS),
    *(("engagement", project) for project in PROJECTS),
    *(("task", f"{project}/{issue}") for project in PROJECTS for issue in ISSUES),
]


@dataclass(frozen=True)
class Code:
    kind: str
    code: str
    revision: int
    canonical_id: str
    system: str


@dataclass(frozen=True)
class Person:
    name: str
    email: str | None


@dataclass(frozen=True)
class Worklog:
    key: str
    revision: int
    author: str
    project: str
    issue: str
    state: str


Arrival = Code | Person | Worklog

_codes = st.builds(
    lambda named, *rest: Code(*named, *rest),
    st.sampled_from(CODES),
    st.integers(1, 3),
    st.sampled_from(["X1", "X2"]),
    st.sampled_from(["tracker", "tracker", "tracker", "tempo"]),
)
_people = st.builds(Person, st.sampled_from(NAMES), st.sampled_from([*EMAILS, None]))
_worklogs = st.builds(
    Worklog,
    st.sampled_from(["W-1", "W-2", "W-3"]),
    st.integers(1, 3),
    st.sampled_from(NAMES),
    st.sampled_from(PROJECTS),
    st.sampled_from(ISSUES),
    st.sampled_from(["OPEN", "DONE"]),
)


def _one_a_revision(arrival: Arrival) -> object:
    """What no two different arrivals may share: of equal revisions the first would stand, whatever it says."""
    match arrival:
        case Code():
            return arrival.system, arrival.kind, arrival.code, arrival.revision
        case Worklog():
            return arrival.key, arrival.revision
        case Person():
            return object()


def _standing(arrivals: list[Arrival]) -> list[Arrival]:
    """The last word on each person, the highest revision of all else."""
    last: dict[object, Arrival] = {}
    for arrival in sorted(arrivals, key=lambda one: 0 if isinstance(one, Person) else one.revision):
        match arrival:
            case Code():
                last[arrival.system, arrival.kind, arrival.code] = arrival
            case Worklog():
                last["worklog", arrival.key] = arrival
            case Person():
                last["person", arrival.name] = arrival
    return list(last.values())


def _intake(arrivals: list[Arrival]) -> Tracker:
    tracker = Tracker()
    for one in arrivals:
        match one:
            case Code():
                tracker.code(one.kind, one.code, one.canonical_id, one.revision, one.system)
            case Person():
                tracker.person(one.name, one.email)
            case Worklog():
                updated = f"2024-02-0{one.revision}T09:00:00Z"
                other = {"author": one.author, "project": one.project, "issue": one.issue, "state": one.state}
                tracker.worklog(updated, one.key, **other)
    return tracker


@st.composite
def _arrivals(draw: st.DrawFn) -> list[Arrival]:
    mapped = st.lists(_codes, max_size=14, unique_by=_one_a_revision)
    logged = st.lists(_worklogs, max_size=5, unique_by=_one_a_revision)
    said: list[Arrival] = [*draw(mapped), *draw(st.lists(_people, max_size=4)), *draw(logged)]
    again = draw(st.lists(st.sampled_from([one for one in said if not isinstance(one, Person)] or [None]), max_size=3))
    return draw(st.permutations([*said, *(one for one in again if one is not None)]))


@settings(max_examples=400, deadline=None)
@given(_arrivals())
def test_only_what_stands_counts(arrivals: list[Arrival]) -> None:
    arrived, plain = _intake(arrivals), _intake(_standing(arrivals))
    assert arrived.standing() == plain.standing()
    assert arrived.open == plain.open
    assert arrived.mapper.waiting(arrived.state) == plain.mapper.waiting(plain.state)


@settings(max_examples=100, deadline=None)
@given(_arrivals())
def test_what_waits_for_a_code_waits_until_all_are_mapped(arrivals: list[Arrival]) -> None:
    tracker = _intake([*arrivals, *(Person(name, email) for name, email in zip(NAMES, EMAILS, strict=True))])
    for kind, code in CODES:
        tracker.code(kind, code, "X9", revision=9)
    assert tracker.open == {}
    assert tracker.mapper.waiting(tracker.state) == {}
    assert len(tracker.minutes()) == len({one.key for one in arrivals if isinstance(one, Worklog)})
