"""The masters agent: the winning revision goes to `masters.current`, with every look-up its identity ever touched."""

import json

from agents.masters import process_batch
from schemas.codec import decode_for
from streaming.batch import Batch, Output, Record
from streaming.state import MemoryRows, State
from tables.windows import windows
from tests.unit.tables.contents import client, line, tax_rule
from tests.unit.tables.stream import Line, wire


class Masters:
    """The agent over rows in memory."""

    def __init__(self) -> None:
        self.rows, self._offset = MemoryRows(), 0

    def hears(self, *arrived: Line | Record) -> list[Output]:
        """The outputs of one batch."""
        records = []
        for each in arrived:
            self._offset += 1
            records.append(wire(each, self._offset) if isinstance(each, dict) else each)
        state = State(self.rows)
        outputs = process_batch(Batch(0, 0, {}, {}, records), state)
        self.rows.commit(state)
        return outputs


def current(outputs: list[Output]) -> list[tuple[str, set[str]]]:
    """(key, look-ups in the header) of what went to `masters.current`."""
    found = [output for output in outputs if output.topic == "masters.current"]
    return [((o.key or b"").decode(), set(json.loads(dict(o.headers)["lookups"]))) for o in found]


def told(outputs: list[Output]) -> list[tuple[str, str, str]]:
    """(engagement, subject, status) of what went to `billing.exceptions`."""
    records = [decode_for(o.topic, o.value or b"") for o in outputs if o.topic == "billing.exceptions"]
    return [(r["engagement_id"], r["subject"], r["status"]) for r in records]


def test_the_highest_revision_wins_in_its_own_bytes() -> None:
    masters, second = Masters(), line(tax_rule("20"), revision=2)
    (written,) = masters.hears(second)
    assert (written.topic, written.key) == ("masters.current", b"master.tax-rules:TX")
    assert written.value == wire(second, 0).value
    assert masters.hears(line(tax_rule("19"))) == []  # an older revision
    assert masters.hears(second, line(tax_rule("20"), revision=2, minute=5)) == []  # said again
    assert len(masters.hears(line(tax_rule("20"), revision=3))) == 1


def test_the_look_ups_of_an_identity_only_ever_grow() -> None:
    """A rule that moved must still settle those who looked in the jurisdiction it left."""
    masters = Masters()
    german, french = line(tax_rule("19")), line(tax_rule("19", jurisdiction="FR"), revision=2)
    assert current(masters.hears(german)) == [("master.tax-rules:TX", {"tax:DE"})]
    assert current(masters.hears(french)) == [("master.tax-rules:TX", {"tax:DE", "tax:FR"})]
    third = line(tax_rule("20", jurisdiction="FR"), revision=3)
    assert current(masters.hears(third)) == [("master.tax-rules:TX", {"tax:DE", "tax:FR"})]


def test_a_conflict_is_raised_once_and_closed_by_a_higher_revision() -> None:
    masters = Masters()
    masters.hears(line(client("DE")))
    outputs = masters.hears(line(client("FR")), line(client("FR")))
    assert told(outputs) == [("", "conflict:master.clients:CL", "open")]
    assert current(outputs) == []
    outputs = masters.hears(line(client("FR"), revision=2))
    assert told(outputs) == [("", "conflict:master.clients:CL", "resolved")]
    assert current(outputs)[0][0] == "master.clients:CL"


def test_bad_records_are_dead_letters_and_counted_beside_the_good_ones() -> None:
    masters, good = Masters(), line(client())
    bad = Record("master.clients", 0, 1, 60_000, b"CL", b"\0\0", [("h", b"v")])
    outputs = masters.hears(bad, good)
    assert [output.topic for output in outputs] == ["dead.letters", "masters.current"]
    figures = windows(masters.rows.items(), 60_000)
    assert (figures[5, "received"], figures[5, "dead"], figures[5, "replaced"]) == (2, 1, 1)
