"""One bad record never stops a worker: it is a dead letter or an exception of its own, and those around it are billed.

First through `hourstream run`, whose lines are checked before they are published; then from producers that check
nothing, on a running stream.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from schemas.codec import encode
from schemas.json_codec import from_json
from tests.integration.stream.robust_cases import ROBUST, Line, entry, expected_of, lines_of, minutes, notes
from tests.integration.stream.running import Running, running

COMMAND = Path(sys.executable).with_name("hourstream")
GARBAGE = Random(7).randbytes(1_048_505)  # the broker takes hardly more of a record; none of it can be compressed


def wire(each: Line) -> tuple[str, bytes, bytes]:
    """(topic, key, value) of a record as a producer sends it that checks nothing."""
    return each["topic"], each["key"].encode(), encode(each["topic"], from_json(each["topic"], each["value"]))


def one_of(case: str, topic: str) -> Line:
    return next(each for each in lines_of(case) if each["topic"] == topic)


def revised(each: Line, **changes: object) -> Line:
    return {**each, "value": {**each["value"], "revision": 2, **changes}}


def test_bad_lines_of_a_run_are_rejected_and_all_others_are_billed(tmp_path: Path) -> None:
    facts, out = tmp_path / "facts", tmp_path / "out"
    facts.mkdir()
    for case in ("nul-in-an-id", "year-one-worklog"):
        lines = lines_of(case)
        (facts / f"{case}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    made = [
        *notes(),
        *minutes(),
        entry("\ud800"),
        entry("x" * 10_000),
        entry("[/x]"),
        entry("year", work_date="0000-01-01"),
    ]
    (facts / "made.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in made), encoding="utf-8")
    environment = {**os.environ, "HOURSTREAM_HOME": str(tmp_path / "home"), "HOURSTREAM_SOURCES": "jira"}
    command = [str(COMMAND), "run", str(facts), "--out", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 1, done.stderr
    assert "lines were rejected and are not billed" in done.stderr
    ledger = {
        (line["engagement_id"], line["subject"]): line
        for line in map(json.loads, (out / "ledger.jsonl").read_text(encoding="utf-8").splitlines())
    }
    for case in ("nul-in-an-id", "year-one-worklog"):
        for where, right in expected_of(case).items():
            if "\0" not in where[1]:  # which is a dead letter
                assert {name: ledger[where][name] for name in right} == right
    assert {subject for _, subject in ledger} == {
        "time:before", "time:after", "time:jira-1", "time:jira-3", "time:noted", "time:[/x]",
    }  # fmt: skip
    exceptions = [json.loads(line) for line in (out / "exceptions.jsonl").read_text(encoding="utf-8").splitlines()]
    # Work that settle read before its masters was on hold for a moment.
    left = [each["subject"] for each in exceptions if each["status"] != "resolved"]
    assert left == ["source:jira:worklogs:2"]
    rejected = json.loads(done.stdout)["rejected_lines"]
    assert [line.split(": ")[0] for line in rejected if line.startswith("nul")] == ["nul-in-an-id.jsonl:9"]
    assert sum(line.startswith("made.jsonl") for line in rejected) == 3 + 7 + 3
    assert max(map(len, rejected)) < 1_000


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("bad-records"), sources="jira") as found:
        yield found


def bad_records() -> Iterator[tuple[str, bytes | None, bytes | None]]:
    """Records of producers that check nothing."""
    client, engagement = one_of("nul-in-an-id", "master.clients"), one_of("nul-in-an-id", "master.engagements")
    yield "time.entries", b"K91E", GARBAGE
    yield "billing.ready", b"K91E", GARBAGE
    yield "master.clients", b"K91CL", GARBAGE
    yield "time.entries", b"k" * 900_000, b"\x00"
    yield "time.entries", b"K91E", None
    for each in (*list(notes())[1:], *minutes()):
        yield wire(each)
    yield wire(entry("nu\0l"))
    yield wire(entry("x" * 10_000))
    yield wire(revised(client, payment_terms_days=2_147_483_647))
    yield wire(revised(client, name="nu\0l"))
    yield wire(revised(client, country="UK"))
    yield wire(revised(engagement, po_number="nu\0l"))
    yield wire(revised(engagement, owner="x" * 4_001))
    yield "master.engagements", b"K91E", unknown_mode(engagement)
    topic, _, value = wire(entry("keyed"))
    yield topic, b"another", value
    worklog = next(each for each in lines_of("year-one-worklog") if each["topic"] == "source.jira.worklogs")
    yield wire({**worklog, "key": "x" * 10_000, "value": {**worklog["value"], "id": "x" * 10_000}})
    yield wire({**worklog, "key": "nu\0l", "value": {**worklog["value"], "id": "nu\0l"}})


def unknown_mode(engagement: Line) -> bytes:
    """The engagement's bytes with a rounding mode that the schema does not list."""
    up, down = (
        wire(revised(engagement, rounding=engagement["value"]["rounding"] | {"mode": m}))[2] for m in ("up", "down")
    )
    (at,) = [place for place, (a, b) in enumerate(zip(up, down, strict=True)) if a != b]
    return up[:at] + bytes([3 << 1]) + up[at + 1 :]


def test_bad_records_of_producers_that_check_nothing_are_dead_letters_and_no_worker_ends(stream: Running) -> None:
    for each in lines_of("nul-in-an-id"):
        stream.send(*wire(each), ())
    bad = list(bad_records())
    for topic, key, value in bad:
        stream.send(topic, key, value, ())
    for each in lines_of("year-one-worklog"):
        stream.send(*wire(each), ())
    stream.send(*wire(entry("last")), ())
    stream.rest()
    assert stream.ended() == {}
    ledger = {(line["engagement_id"], line["subject"]): line for line in stream.books().ledger()}
    assert {where for where, line in ledger.items() if line["state"] == "charged"} == {
        ("K91E", "time:before"), ("K91E", "time:after"), ("K91E", "time:last"),
        ("K92E", "time:jira-1"), ("K92E", "time:jira-3"),
    }  # fmt: skip
    assert len(ledger) == 5
    letters = stream.letters()
    by_settle = [letter for letter in letters if letter["stage"] == "settle"]
    assert len(by_settle) == sum(topic == "time.entries" for topic, *_ in bad) + 1  # and the case's own
    by_masters = [letter for letter in letters if letter["stage"] == "masters"]
    assert len(by_masters) == sum(topic.startswith("master.") for topic, *_ in bad)
    assert sum(letter["stage"] == "intake-jira" or letter["stage"] == "intake" for letter in letters) == 2
    assert all(letter["error"] and "\0" not in letter["error"] for letter in letters)
    cut = [letter for letter in by_settle if "1,048,505 bytes of its value" in letter["error"]]
    assert [(letter["topic"], letter["key"]) for letter in cut] == [("time.entries", b"K91E")]
    assert hashlib.sha256(GARBAGE).hexdigest() in cut[0]["error"]
    assert cut[0]["value"] == GARBAGE[:65_536]


def test_commands_skip_what_is_no_record(stream: Running) -> None:
    for topic in ("files.taken", "billing.exceptions", "charge.states", "master.code-map", "masters.current"):
        stream.send(topic, b"K91E", b"garbage", ())
        stream.send(topic, None, None, ())
    export = ROBUST / "year-one-in-a-file" / "w.json"
    ingested = stream.hourstream("ingest", str(export), "--source", "jira", "--accept-bad-rows")
    assert ingested.exit_code == 0, ingested.output
    assert "1 records published, 1 rows to dead.letters" in ingested.output
    assert "was taken" in stream.hourstream("ingest", str(export), "--source", "jira").output
    (letter,) = [letter for letter in stream.letters() if letter["stage"] == "ingest"]
    assert "'0001-01-01T00:00:00.000+0100' leaves the years 1 to 9999" in letter["error"]
    for command in (["exceptions", "list"], ["exceptions", "codes"], ["trace", "K91E/time:before"], ["audit"]):
        told = stream.hourstream(*command)
        assert told.exception is None, (command, told.output)
    stream.rest()
    assert stream.ended() == {}
