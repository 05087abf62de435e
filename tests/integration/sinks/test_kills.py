"""kill -9 of the process that writes, inside its transaction: nothing of it stays, and the next one does it all."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime

import psycopg
from psycopg import sql

from accounting.journal_balance import journal_balance
from invoicing.charge_projection import Projection
from invoicing.outbox_records import STATUS_TOPIC
from invoicing.run import run_invoices
from sinks.journal import JOURNAL, POSTINGS_TOPIC, Journal
from sinks.outbox import Outbox
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge
from tests.unit.sinks.documents import NAMES
from topics.catalogue import CHARGES_TOPIC
from warehouse.reports import invoices

_POST = """
from storage.postgres import open_pool
from sinks.journal import Journal
from tests.contract.sinks.sink_charges import batch, charge
from tests.unit.sinks.documents import NAMES
with open_pool({url!r}) as pool:
    Journal(pool).write(batch(0, [charge(str(n)) for n in range(30)]))
"""
_INVOICE = """
from datetime import UTC, date, datetime
from invoicing.run import run_invoices
from storage.postgres import open_pool
from tests.unit.sinks.documents import NAMES
with open_pool({url!r}) as pool:
    run_invoices(pool, cut_off=date(2025, 3, 31), issue_date=date(2025, 4, 1), end_offsets={{}},
                 at=datetime(2025, 4, 1, tzinfo=UTC), names=NAMES)
"""


def kill_while_it_waits(pool: Pool, program: str) -> None:
    """Run a program, and kill it -9 when it has written everything but its outbox rows."""
    with psycopg.connect(pool.conninfo) as blocker, psycopg.connect(pool.conninfo, autocommit=True) as watch:
        blocker.execute(sql.SQL("LOCK TABLE hourstream.outbox IN EXCLUSIVE MODE"))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        code = program.format(url=pool.conninfo)
        process = subprocess.Popen([sys.executable, "-c", code], env=environment)
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND wait_event = 'relation'"
        )
        while watch.execute(waiting).fetchone() == (0,):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        process.kill()
        assert process.wait() == -signal.SIGKILL


def test_a_journal_killed_inside_its_transaction_has_posted_nothing(pool: Pool) -> None:
    kill_while_it_waits(pool, _POST)
    journal = Journal(pool)
    # The server may still hold the dead writer's locks for a moment; a write waits for them.
    assert journal.write(batch(0, [charge(str(n)) for n in range(30)])).count("posted") == 30
    assert journal.positions(CHARGES_TOPIC, 0) == 31
    assert [(b.postings, b.debit) for b in journal_balance(pool, JOURNAL)] == [(30, 3000)]
    assert Outbox(pool, POSTINGS_TOPIC).unsent() == 30


def test_an_invoice_run_killed_inside_its_transaction_has_issued_nothing(pool: Pool) -> None:
    Projection(pool).write(batch(0, [charge(str(n), engagement_id=f"E-{n % 3}") for n in range(30)]))
    kill_while_it_waits(pool, _INVOICE)
    assert invoices(pool) == []
    done = run_invoices(
        pool,
        cut_off=date(2025, 3, 31),
        issue_date=date(2025, 4, 1),
        end_offsets={0: 31},
        at=datetime(2025, 4, 1, tzinfo=UTC),
        names=NAMES,
    )
    assert [issued.invoice_id for issued in done.issued] == [f"LE-1-2025-0000{n}" for n in (1, 2, 3)]
    assert Outbox(pool, STATUS_TOPIC).unsent() == 3
