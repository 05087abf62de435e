"""The intake agent with a mapping that has codes: what it publishes of `master.code-map`, and what it leaves alone."""

import pytest

from schemas.codec import decode_for, encode
from schemas.json_codec import from_json
from sources.engine import Mapper
from sources.mapping.loader import read_mapping
from streaming.batch import Output
from tests.unit.agents.test_intake_records import Intake
from tests.unit.agents.tock_records import as_line

CODED = """
system: tempo
entities:
  lines:
    topic: source.tock.lines
    publish:
      - topic: time.entries
        fields:
          entry_id: ${id}
          engagement_id: {$code: $project, kind: engagement}
          task_id: {$code: $project, kind: task}
          consultant_id: C1
          work_date: {$day: $created}
          minutes: {$minutes: $hours_spent, unit: hours}
          billable: true
          status: approved
          occurred_at: $created
"""
LINE = as_line("lines", {"id": 48, "timecard": 7, "project": 2, "hours_spent": "1.50"})
KEY = b"tempo:engagement:2"


def mapped(kind: str, canonical_id: str, revision: int = 1) -> tuple[str, bytes, bytes]:
    """A code of the line's project, as on the code map."""
    of = {"system": "tempo", "kind": kind, "code": "2", "canonical_id": canonical_id}
    stamp = {"source": "command-line", "revision": revision, "occurred_at": "2024-01-01T00:00:00Z"}
    value = encode("master.code-map", from_json("master.code-map", {**of, **stamp}))
    return "master.code-map", f"tempo:{kind}:2".encode(), value


def told(outputs: list[Output]) -> list[tuple[object, ...]]:
    """What matters of the outputs: of exceptions status and missing, of entries engagement, status and minutes."""
    found: list[tuple[object, ...]] = []
    for output in outputs:
        value = decode_for(output.topic, output.value or b"")
        if output.topic == "billing.exceptions":
            assert (value["subject"], value["code"]) == ("source:tempo:lines:48", "UNMAPPED_CODE")
            found.append((value["status"], value["missing"]["kind"], value["missing"]["id"], value["missing"]["day"]))
        else:
            found.append((value["engagement_id"], value["status"], value["minutes"]))
    return found


@pytest.fixture
def tempo() -> Intake:
    return Intake(Mapper(read_mapping("tempo.yaml", CODED)))


def test_a_parked_code_is_mapped_and_mapped_anew(tempo: Intake) -> None:
    line = from_json(LINE["topic"], LINE["value"])
    opened = tempo.reads((LINE["topic"], b"48", encode(LINE["topic"], line)))
    assert told(opened) == [("open", "code", "tempo:engagement:2", None)]
    assert told(tempo.reads(mapped("engagement", "E1"))) == [("open", "code", "tempo:task:2", None)]
    healed = tempo.reads(mapped("task", "T1"))
    assert told(healed) == [("E1", "approved", 90), ("resolved", "code", "tempo:task:2", None)]
    moved = tempo.reads(mapped("engagement", "E2", 2), mapped("engagement", "E1", 1))
    assert told(moved) == [("E1", "withdrawn", 90), ("E2", "approved", 90)]


def test_what_is_no_mapping_is_the_dead_letter_of_masters_alone(tempo: Intake) -> None:
    topic, key, value = mapped("engagement", "E1")
    assert tempo.reads((topic, key, value[:-1]), (topic, b"tempo:engagement:3", value)) == []
    assert tempo.figures() == {"received": 2}
