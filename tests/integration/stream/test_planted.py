"""What the audit finds: each fault is planted in a running stream, on a topic or in a table, and named."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Cursor
from psycopg.rows import TupleRow

from schemas.codec import decode_for, encode
from streaming.batch import Record
from streaming.topic_reader import read_all
from tests.integration.stream.running import Running, answered, running
from tests.unit.tables.contents import MASTERS, SELLER, entry, line

ONCE, SAID, HELD = 6, 7, 8


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Three entries charged, one anew, one parked, and an invoice of them."""
    with running(tmp_path_factory.mktemp("planted")) as started:
        started.takes(*(started.next_revision(content) for content in MASTERS), line(SELLER))
        names = ("one", "two", "three")
        started.takes(*(line(entry("E1", name)) for name in names), line(entry("E1", "stuck", task_id="NEVER")))
        started.takes(line(entry("E1", "two", 120), revision=2))
        folder = tmp_path_factory.mktemp("invoices")
        run = (
            "invoice",
            "run",
            "--cut-off",
            "2024-12-31",
            "--issue-date",
            "2025-01-02",
            "--out",
            str(folder),
            "--json",
        )
        assert answered(started.hourstream(*run))["issued"]
        yield started


def false(stream: Running) -> dict[int, Any]:
    """The figures of each statement that does not hold."""
    found = stream.hourstream("audit", "--json")
    told = json.loads(found.stdout)
    assert found.exit_code == (0 if told["all_true"] else 1)
    return {one["number"]: one["figures"] for one in told["statements"] if not one["holds"]}


def test_a_sound_stream_is_right(stream: Running) -> None:
    stream.is_right()
    assert stream.hourstream("reconcile").exit_code == 0


@pytest.fixture
def owner(stream: Running) -> Iterator[Cursor[TupleRow]]:
    """The database as its owner alters it: triggers and foreign keys are off. All is put back at the end."""
    with psycopg.connect(stream.settings.database_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in ("journal_postings", "journal_lines", "invoices"):
            cursor.execute(f"CREATE TABLE kept_{table} AS TABLE hourstream.{table}")
        yield cursor
        for table in ("journal_lines", "journal_postings", "invoices"):
            cursor.execute(f"DELETE FROM hourstream.{table}")  # noqa: S608
            cursor.execute(f"INSERT INTO hourstream.{table} OVERRIDING SYSTEM VALUE TABLE kept_{table}")
            cursor.execute(f"DROP TABLE kept_{table}")


def test_a_posting_that_is_missing(stream: Running, owner: Cursor[TupleRow]) -> None:
    owner.execute("DELETE FROM hourstream.journal_lines WHERE posting = 1")
    owner.execute("DELETE FROM hourstream.journal_postings WHERE number = 1 RETURNING charge_id")
    (charge_id,) = owner.fetchone() or ("",)
    found = false(stream)
    assert f"journal has read {charge_id} and not posted it" in found[HELD]["examples"]
    assert f"erp.postings says journal has {charge_id}, which has no posting" in found[HELD]["examples"]
    assert stream.hourstream("reconcile").exit_code == 1


def test_a_second_posting(stream: Running, owner: Cursor[TupleRow]) -> None:
    owner.execute("ALTER TABLE hourstream.journal_postings DROP CONSTRAINT journal_posted_once")
    owner.execute("CREATE TEMP TABLE twin AS SELECT * FROM hourstream.journal_postings WHERE number = 1")
    owner.execute("UPDATE twin SET number = 9000, posting_id = 'twin'")
    owner.execute("INSERT INTO hourstream.journal_postings OVERRIDING SYSTEM VALUE TABLE twin")
    try:
        found = false(stream)
        assert len(found[3]["posted_twice"]) == 1
        assert any("which erp.postings does not say" in one for one in found[HELD]["examples"])
    finally:
        owner.execute("DELETE FROM hourstream.journal_postings WHERE number = 9000")
        owner.execute(
            "ALTER TABLE hourstream.journal_postings ADD CONSTRAINT journal_posted_once UNIQUE (system, charge_id)"
        )


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE hourstream.journal_postings SET revision = 2 WHERE number = 2",
            "at revision 2, which erp.postings",
        ),
        (
            "UPDATE hourstream.journal_postings SET status = 'refused', reason = 'x' WHERE number = 2",
            "otherwise than erp.postings says",
        ),
        ("UPDATE hourstream.invoices SET standing = 'paid'", "stands otherwise than invoice.status says"),
        ("UPDATE hourstream.invoices SET revision = 3", "at revision 3, which invoice.status does not say"),
        ("DELETE FROM hourstream.invoices", "which is no document"),
    ],
)
def test_a_row_that_was_not_announced_as_it_is(
    stream: Running, owner: Cursor[TupleRow], statement: str, told: str
) -> None:
    owner.execute(statement)
    assert any(told in one for one in false(stream)[HELD]["examples"])


def last(stream: Running, topic: str) -> tuple[Record, dict[str, Any]]:
    """The last record of a topic, and what it says."""
    record = list(read_all(stream.broker, [topic]))[-1]
    return record, decode_for(topic, record.value or b"")


def test_a_second_announcement(stream: Running) -> None:
    for topic, name in (
        ("erp.postings", "posting_id"),
        ("invoice.status", "invoice_id"),
        ("charge.states", "charge_id"),
    ):
        record, value = last(stream, topic)
        stream.send(topic, record.key, record.value, [])
        examples = false(stream)[SAID]["examples"]
        document = f" of {value['engagement_id']}" if topic == "invoice.status" else ""
        assert f"{topic} says revision {value['revision']} of {value[name]}{document} 2 times" in examples
    record, value = last(stream, "billing.exceptions")
    stream.send("billing.exceptions", record.key, record.value, [])
    assert any(f"says the same of {value['exception_id']} twice" in one for one in false(stream)[SAID]["examples"])


def test_an_announcement_that_the_outbox_repeats_counts_once(stream: Running) -> None:
    before = stream.books().announced.repeated
    record = next(r for r in read_all(stream.broker, ["erp.postings"]) if dict(r.headers).get("outbox"))
    faults = len(list(stream.books().announced.faults(stream.books().positions)))
    stream.send("erp.postings", record.key, record.value, record.headers)
    after = stream.books()
    assert (after.announced.repeated, len(list(after.announced.faults(after.positions)))) == (before + 1, faults)


def test_an_announcement_of_nothing(stream: Running) -> None:
    record, value = last(stream, "invoice.status")
    forged = {**value, "invoice_id": "FORGED-1", "revision": 1}
    stream.send("invoice.status", record.key, encode("invoice.status", forged), [])
    assert "invoice.status speaks of FORGED-1, which is no document" in false(stream)[HELD]["examples"]
    record, value = last(stream, "erp.postings")
    other = {**value, "posting_id": "forged", "charge_id": "never", "revision": 2}
    stream.send("erp.postings", record.key, encode("erp.postings", other), [])
    examples = false(stream)[SAID]["examples"]
    assert "erp.postings skips a revision of forged: [2]" in examples
    assert "erp.postings speaks of forged, whose charge never was never published" in examples


def test_a_doubled_charge(stream: Running) -> None:
    assert stream.hourstream("reconcile").exit_code == 0
    record, value = last(stream, "billing.ready")
    stream.send("billing.ready", record.key, record.value, record.headers)
    stream.rest()
    found = false(stream)[ONCE]
    assert found["published_again"] == [f"{value['charge_id']} 2 times"]
    assert len(found["astray"]) == 1
    reconciled = stream.hourstream("reconcile")
    assert reconciled.exit_code == 1
    assert f"{value['charge_id']} of {value['engagement_id']}" in reconciled.output
    assert "published again, does not tie" in reconciled.output
    verified = stream.hourstream("verify")
    assert verified.exit_code == 1
    assert f"publishes {value['charge_id']} again" in verified.output


def test_a_charge_that_settle_never_publishes(stream: Running) -> None:
    record, value = last(stream, "billing.ready")
    forged = {**value, "charge_id": "forged", "subject": "time:forged"}
    stream.send("billing.ready", record.key, encode("billing.ready", forged), [])
    stream.rest()
    found = false(stream)
    assert any("time:forged: forged where the charge number 1 is due" in one for one in found[ONCE]["astray"])
    assert found[2]["subjects_off"] >= 1
