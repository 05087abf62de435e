"""Intake in memory for the tests here: source records in, and the canonical records that win out."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.schema_types import AvroRecord, Field, Long, Optional, Text
from sources.engine import OPEN, Applied, Mapper, SourceOrigin
from sources.mapping.contracts import Checked, DeclaredContracts, Json
from sources.mapping.loader import load_mapping, read_mapping
from topics.catalogue import identity

TOCK = Path(__file__).parents[3] / "sources" / "tock.yaml"

# A second system, invented: with revisions, codes that people map, and statuses of its own.
TRACKER = """
system: tracker
entities:
  people:
    topic: source.tracker.people
  worklogs:
    topic: source.tracker.worklogs
    id: $key
    revision: {$instant: $updated}
    look_ups:
      author: {entity: people}
    publish:
      - topic: time.entries
        fields:
          entry_id: $key
          engagement_id: {$code: $project, kind: engagement}
          task_id: {$code: "${project}/${issue}", kind: task}
          consultant_id: {$code: $author.email, kind: consultant}
          work_date: {$day: $started}
          minutes: {$minutes: $seconds, unit: seconds}
          billable: true
          status: {$translate: $state, to: {OPEN: submitted, DONE: approved}}
          note: $note
          occurred_at: {$instant: $updated}
"""


class TrackerContracts:
    """The declared contracts, and the tracker's topics."""

    def __init__(self) -> None:
        self._declared = DeclaredContracts()

    def shape(self, topic: str) -> AvroRecord | None:
        if topic == "source.tracker.people":
            return AvroRecord("Person", (Field("id", Text()), Field("email", Optional(Text()))))
        if topic != "source.tracker.worklogs":
            return self._declared.shape(topic)
        texts = ("key", "updated", "issue", "project", "author", "started", "state")
        fields = [Field(name, Text()) for name in texts]
        return AvroRecord("Worklog", (*fields, Field("seconds", Long()), Field("note", Optional(Text()))))

    def checked(self, topic: str, content: Mapping[str, Json]) -> Checked:
        return self._declared.checked(topic, content)


class MemoryState(dict[bytes, bytes]):
    """A partition's state in memory."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def delete(self, key: bytes) -> None:
        self.pop(key, None)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted((key, value) for key, value in self.items() if key.startswith(prefix)))


class Intake:
    """A mapper with its state; offsets and append times count up."""

    def __init__(self, mapper: Mapper) -> None:
        self.mapper = mapper
        self.state = MemoryState()
        self.published: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.open: dict[str, tuple[str, str, tuple[str, str] | None]] = {}  # {subject: (code, message, missing)}
        self._offset = 0

    def arrives(self, topic: str, key: object, record: Mapping[str, object] | None) -> Applied:
        """One record; what it publishes is kept, each revision being the next of its identity, or an earlier repeat."""
        self._offset += 1
        origin = SourceOrigin(topic, 0, self._offset, 1000 * self._offset)
        applied = self.mapper.apply(self.state, topic, str(key), record, origin)
        for made in applied.canonical:
            name = (made.topic, made.key, identity(made.topic, made.record))
            before = self.published.get(name)
            if before is None or made.record != before | {"occurred_at": made.record["occurred_at"]}:
                assert made.record["revision"] == (1 if before is None else before["revision"] + 1)
            else:
                assert made.record["occurred_at"] < before["occurred_at"]
            self.published[name] = made.record
        for problem in applied.problems:
            if problem.status == OPEN:
                self.open[problem.subject] = problem.code, problem.message, problem.missing
            else:
                del self.open[problem.subject]
        return applied

    def standing(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """The winning records, without withdrawn ones and without what history may leave in them."""
        return {
            name: {field: value for field, value in record.items() if field not in ("revision", "occurred_at")}
            for name, record in self.published.items()
            if record.get("status") != "withdrawn"
        }

    def minutes(self) -> dict[str, int]:
        """Minutes of the standing time entries, by engagement and id."""
        return {
            f"{key}/{entry_id}": record["minutes"]
            for (topic, key, entry_id), record in self.standing().items()
            if topic == "time.entries"
        }


class Tock(Intake):
    """Intake of Tock, with short ways to send its records."""

    def __init__(self) -> None:
        super().__init__(TOCK_MAPPER)

    def sends(self, entity: str, record_id: int, **fields: object) -> Applied:
        return self.arrives(f"source.tock.{entity}", record_id, {"id": record_id, **fields})

    def deletes(self, entity: str, record_id: int) -> Applied:
        return self.arrives(f"source.tock.{entity}", record_id, None)

    def code(self, record_id: int, *, agency: int = 1, billable: bool = True) -> Applied:
        name = {"code": f"C{record_id}", "office": "East"}
        return self.sends("accounting_codes", record_id, agency=agency, billable=billable, flat_rate=False, **name)

    def project(self, record_id: int, code: int) -> Applied:
        return self.sends("projects", record_id, name=f"Project {record_id}", accounting_code=code)

    def period(self, record_id: int, start: str, end: str) -> Applied:
        return self.sends("reporting_periods", record_id, start_date=start, end_date=end)

    def timecard(self, record_id: int, *, user: int, period: int) -> Applied:
        return self.sends("timecards", record_id, user=user, reporting_period=period)

    def grade(self, record_id: int, employee: int, grade: int, since: str) -> Applied:
        return self.sends("grades", record_id, employee=employee, grade=grade, g_start_date=since)

    def user(self, record_id: int) -> Applied:
        return self.sends("users", record_id, first_name="Ada", last_name=f"L{record_id}")

    def line(
        self,
        record_id: int,
        *,
        timecard: int,
        project: int,
        hours: str | None = "40.00",
        grade: int | None = None,
        created: str = "2015-04-06T14:09:33.703Z",
    ) -> Applied:
        links = {"timecard": timecard, "project": project, "grade": grade}
        return self.sends("lines", record_id, hours_spent=hours, created=created, **links)

    def week(self) -> None:
        """Code 5, project 2, period 3 (Sunday to Saturday), timecard 7 of user 9: what a line looks up."""
        self.code(5)
        self.project(2, code=5)
        self.period(3, "2015-04-05", "2015-04-11")
        self.timecard(7, user=9, period=3)


class Tracker(Intake):
    """Intake of the invented tracker, with short ways to send its records and to map its codes."""

    def __init__(self) -> None:
        super().__init__(TRACKER_MAPPER)

    def worklog(self, updated: str = "2024-02-01T09:00:00.000+0100", key: str = "W-1", **other: object) -> Applied:
        fields: dict[str, object] = {
            "key": key,
            "updated": updated,
            "issue": "7",
            "project": "ABC",
            "author": "ada",
            "started": "2024-01-31T23:30:00.000+0100",
            "seconds": 5430,
            "state": "DONE",
            "note": None,
        }
        return self.arrives("source.tracker.worklogs", key, {**fields, **other})

    def person(self, name: str, email: str | None) -> Applied:
        return self.arrives("source.tracker.people", name, {"id": name, "email": email})

    def code(self, kind: str, code: str, canonical_id: str, revision: int = 1, system: str = "tracker") -> Applied:
        record = {"system": system, "kind": kind, "code": code, "canonical_id": canonical_id, "revision": revision}
        stamped = {**record, "source": "people", "occurred_at": datetime(2024, 1, 1, tzinfo=UTC)}
        return self.arrives("master.code-map", f"{system}:{kind}:{code}", stamped)


TOCK_MAPPER = Mapper(load_mapping(TOCK))
TRACKER_MAPPER = Mapper(read_mapping("tracker.yaml", TRACKER, TrackerContracts()), TrackerContracts())
