"""The intake agent on a few records of Tock: canonical records with their origin, exceptions, dead letters, figures."""

import pytest

from agents.intake import MAPPING, decider
from schemas.codec import decode_for, encode
from schemas.json_codec import from_json
from sources.engine import Mapper
from sources.mapping.errors import MappingError
from sources.mapping.loader import load_mapping, read_mapping
from streaming.batch import Batch, Output, Record
from streaming.state import MemoryRows, State
from tables.windows import totals, windows
from tests.unit.agents.tock_records import LINE, WEEK, as_line
from tests.unit.sources.intake import TRACKER, TrackerContracts
from tests.unit.tables.stream import wire


class Intake:
    """The agent over rows in memory."""

    def __init__(self, mapper: Mapper) -> None:
        self._decide, self.rows, self._offset = decider(mapper), MemoryRows(), 0

    def hears(self, *arrived: tuple[str, dict[str, object]]) -> list[Output]:
        """The outputs of one batch of Tock's records."""
        records = []
        for entity, value in arrived:
            sent = as_line(entity, value)
            records.append((sent["topic"], sent["key"].encode(), wire(sent, 0).value or b""))
        return self.reads(*records)

    def reads(self, *arrived: tuple[str, bytes, bytes]) -> list[Output]:
        """The outputs of one batch of (topic, key, value); append times are a second apart."""
        state, records = State(self.rows), []
        for topic, key, value in arrived:
            records.append(Record(topic, 0, self._offset, self._offset * 1000, key, value, ()))
            self._offset += 1
        outputs = self._decide(Batch(0, 0, {}, {}, records), state)
        self.rows.commit(state)
        return outputs

    def figures(self) -> dict[str, int]:
        """Outcomes of the last hour."""
        found = windows(self.rows.items(), self._offset * 1000)
        return {outcome: count for (span, outcome), count in found.items() if span == 60}


@pytest.fixture
def tock() -> Intake:
    return Intake(Mapper(load_mapping(MAPPING)))


def test_canonical_records_name_the_source_record_they_were_made_of(tock: Intake) -> None:
    tock.hears(*WEEK)
    made = tock.hears(LINE)
    assert [(output.topic, output.key) for output in made] == [("time.entries", b"code-5")] * 5
    entries = [decode_for(output.topic, output.value or b"") for output in made]
    assert [entry["minutes"] for entry in entries] == [432, 432, 432, 432, 434]
    assert dict(made[0].headers) == {
        "source.record": b"lines:48",
        "source.position": b"source.tock.lines:0:5",
        "source.revision": b"",
    }
    assert tock.hears(LINE) == []  # said again


def test_a_line_that_waits_is_counted_until_its_look_up_comes(tock: Intake) -> None:
    *others, timecard = WEEK
    tock.hears(*others, LINE)
    assert totals(tock.rows.items()) == {("waiting", "timecards"): 1}
    assert len(tock.hears(timecard)) == 5
    assert totals(tock.rows.items()) == {("waiting", "timecards"): 0}


def test_records_that_cannot_be_kept_are_dead_letters_and_the_others_go_on(tock: Intake) -> None:
    agency = from_json("source.tock.agencies", {"id": 1, "name": "Peace Corps"})
    good = encode("source.tock.agencies", agency)
    outputs = tock.reads(
        ("source.tock.agencies", b"2", good),
        ("source.tock.agencies", b"1", good[:-1]),
        ("source.tock.agencies", b"1", good),
    )
    assert [output.topic for output in outputs] == ["dead.letters", "dead.letters", "master.clients"]
    letters = [decode_for("dead.letters", output.value or b"") for output in outputs[:2]]
    assert [(letter["offset"], letter["key"], letter["stage"]) for letter in letters] == [
        (0, b"2", "intake"),
        (1, b"1", "intake"),
    ]
    assert tock.figures() == {"received": 3, "dead": 2, "mapped": 1}


def test_an_exception_that_is_resolved_is_no_failure(tock: Intake) -> None:
    backwards = ("reporting_periods", {"id": 3, "start_date": "no day", "end_date": "2015-04-11"})
    mended = ("reporting_periods", {"id": 3, "start_date": "2015-04-05", "end_date": "2015-04-11"})
    week = [each for each in WEEK if each[0] != "reporting_periods"]
    opened = tock.hears(*week, backwards, LINE)
    told = [decode_for(o.topic, o.value or b"") for o in opened if o.topic == "billing.exceptions"]
    assert [(each["subject"], each["status"]) for each in told] == [("source:tock:lines:48", "open")]
    assert tock.figures()["open"] == 1
    mapped = tock.figures()["mapped"]
    closed = tock.hears(mended)
    assert [o.topic for o in closed].count("time.entries") == 5
    figures = tock.figures()
    assert (figures["open"], figures["resolved"], figures["mapped"]) == (1, 1, mapped + 5)


def test_a_broken_mapping_file_is_named_with_its_line() -> None:
    broken = TRACKER.replace("$project", "$proyect")
    with pytest.raises(MappingError, match=r"tracker\.yaml, line 16: .*proyect"):
        read_mapping("tracker.yaml", broken, TrackerContracts())
