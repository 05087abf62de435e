"""The ERP journal: double entry, what it refuses, and what it announces."""

import time
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest

from accounting.journal_balance import journal_balance
from rating.model.ids import posting_id
from schemas.json_codec import from_json
from sinks.journal import JOURNAL, POSTINGS_TOPIC, Journal
from sinks.outbox import Outbox, OutboxRow
from storage.charge_batch import ChargeRecord, WriteOutcome
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge, reversal

AT = datetime(2025, 4, 1, 12, tzinfo=UTC)


def lines(pool: Pool, posted: ChargeRecord) -> list[tuple[str, Decimal, Decimal]]:
    """Account, debit and credit of a charge's posting."""
    with pool.connection() as connection:
        return connection.execute(
            "SELECT account, debit, credit FROM hourstream.journal_lines l"
            " JOIN hourstream.journal_postings p ON p.number = l.posting WHERE p.charge_id = %s ORDER BY line",
            (posted["charge_id"],),
        ).fetchall()


def announced(pool: Pool) -> list[OutboxRow]:
    """What is queued for `erp.postings`, taken off the outbox."""
    taken: list[OutboxRow] = []
    Outbox(pool, POSTINGS_TOPIC).drain(taken.extend)
    return taken


def test_a_charge_debits_receivables_and_credits_revenue_and_its_reversal_swaps_them(pool: Pool) -> None:
    first = charge("a", "83.33")
    Journal(pool).write(batch(0, [first, reversal(first)]))
    amount, nothing = Decimal("83.33"), Decimal(0)
    assert lines(pool, first) == [("1210", amount, nothing), ("4000", nothing, amount)]
    assert lines(pool, reversal(first)) == [("1210", nothing, amount), ("4000", amount, nothing)]


def test_a_credit_is_swapped_and_a_charge_of_nothing_has_both_its_lines(pool: Pool) -> None:
    credit, free = charge("a", "-10.00"), charge("b", "0.00")
    Journal(pool).write(batch(0, [credit, free]))
    assert lines(pool, credit) == [("1210", Decimal(0), Decimal(10)), ("4000", Decimal(10), Decimal(0))]
    assert lines(pool, free) == [("1210", Decimal(0), Decimal(0)), ("4000", Decimal(0), Decimal(0))]


def test_the_balance_is_kept_by_currency_with_the_minutes(pool: Pool) -> None:
    dollars = charge("a", "10.00", currency="USD", billable_minutes=30)
    euros = [charge("b", "20.00"), charge("c", "5.00", n=1), reversal(charge("c", "5.00"))]
    Journal(pool).write(batch(0, [dollars, *euros]))
    found = [
        (b.currency, b.postings, b.debit, b.balance, b.revenue, b.worked_minutes)
        for b in journal_balance(pool, JOURNAL)
    ]
    assert found == [("EUR", 3, 30, 0, 20, 60), ("USD", 1, 10, 0, 10, 30)]


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO hourstream.journal_lines VALUES (1, 3, '1210', 5, 0)",
        "INSERT INTO hourstream.journal_lines VALUES (1, 3, '1210', 5, 0), (1, 4, '4000', 0, 4)",
        "INSERT INTO hourstream.journal_lines VALUES (1, 3, '1210', 5, 5), (1, 4, '4000', 0, 0)",
        "INSERT INTO hourstream.journal_lines VALUES (1, 3, '9999', 5, 0), (1, 4, '4000', 0, 5)",
        "UPDATE hourstream.journal_lines SET debit = 1, credit = 0",
        "DELETE FROM hourstream.journal_lines",
        "TRUNCATE hourstream.journal_lines",
    ],
)
def test_the_database_itself_keeps_the_journal_balanced_and_unedited(pool: Pool, change: str) -> None:
    Journal(pool).write(batch(0, [charge("a")]))
    with pytest.raises(psycopg.errors.CheckViolation), pool.connection() as connection:
        connection.execute(change.encode())


def test_it_refuses_what_would_leave_the_ledger_wrong_and_posts_the_rest(pool: Pool) -> None:
    first, homeless = charge("a"), charge("b", legal_entity="")
    second_undoing = reversal(first, charge_id="another-reversal")
    of_nothing = reversal(charge("never-published"))
    partial = reversal(charge("d"), amount=Decimal(-1))
    of_homeless = reversal(homeless, legal_entity="LE-1")
    offered = [first, homeless, reversal(first), second_undoing, of_nothing, charge("d"), partial, of_homeless]
    written = Journal(pool).write(batch(0, offered))
    assert written.outcomes == (
        WriteOutcome(first["charge_id"], "posted"),
        WriteOutcome(homeless["charge_id"], "refused", "NO_LEGAL_ENTITY"),
        WriteOutcome(reversal(first)["charge_id"], "posted"),
        WriteOutcome("another-reversal", "refused", "ALREADY_REVERSED"),
        WriteOutcome(of_nothing["charge_id"], "refused", "REVERSES_UNKNOWN_CHARGE"),
        WriteOutcome(charge("d")["charge_id"], "posted"),
        WriteOutcome(partial["charge_id"], "refused", "REVERSAL_DIFFERS"),
        WriteOutcome(of_homeless["charge_id"], "refused", "REVERSES_UNKNOWN_CHARGE"),
    )
    assert [balance.balance for balance in journal_balance(pool, JOURNAL)] == [0]


def test_it_refuses_across_batches_as_within_one(pool: Pool) -> None:
    journal, first = Journal(pool), charge("a")
    journal.write(batch(0, [first, reversal(first)], end=2))
    again = reversal(first, charge_id="another-reversal")
    of_reversal = reversal(reversal(first), charge_id="of-a-reversal")
    other_currency = reversal(charge("b"), currency="USD")
    journal.write(batch(2, [charge("b")], end=3))
    written = journal.write(batch(3, [again, of_reversal, other_currency]))
    assert [o.reason for o in written.outcomes] == ["ALREADY_REVERSED", "REVERSES_UNKNOWN_CHARGE", "REVERSAL_DIFFERS"]


def test_a_refused_charge_offered_again_in_order_is_posted_and_announced_anew(pool: Pool) -> None:
    journal = Journal(pool, clock=lambda: AT)
    journal.write(batch(0, [charge("a", legal_entity="")], end=1))
    assert journal.write(batch(1, [charge("a", legal_entity="")], end=2)).outcomes[0].result == "refused"
    assert journal.write(batch(2, [charge("a")], end=3)).outcomes[0].result == "posted"
    assert journal.write(batch(3, [charge("a")], end=4)).outcomes[0].result == "duplicate"
    told = [(row.value["status"], row.value["revision"]) for row in announced(pool)]
    assert told == [("refused", 1), ("refused", 2), ("posted", 3)]
    assert [(b.postings, b.debit) for b in journal_balance(pool, JOURNAL)] == [(1, 100)]


def test_announcements_are_records_of_their_topic_in_the_order_of_the_charges(pool: Pool) -> None:
    charges = [charge("a"), charge("b", legal_entity=""), charge("c", engagement_id="E-2")]
    Journal(pool, clock=lambda: AT).write(batch(0, charges))
    rows = announced(pool)
    assert [row.key for row in rows] == ["E-1", "E-1", "E-2"]
    records = [from_json(POSTINGS_TOPIC, row.value) for row in rows]
    assert [record["charge_id"] for record in records] == [each["charge_id"] for each in charges]
    assert records[1]["reason"] == "NO_LEGAL_ENTITY"
    assert records[0] == {
        "posting_id": posting_id(charges[0]["charge_id"], "journal"),
        "charge_id": charges[0]["charge_id"],
        "engagement_id": "E-1",
        "system": "journal",
        "status": "posted",
        "reference": "JRN-1",
        "reason": None,
        "at": AT,
        "source": "journal",
        "revision": 1,
        "occurred_at": AT,
        "posting_period": "2025-03",
    }
    assert records[1]["posting_period"] is None  # what is refused counts nowhere


def test_batches_stay_quick_on_tables_that_were_never_analysed(pool: Pool) -> None:
    journal, seconds = Journal(pool), []
    with pool.connection() as connection:
        connection.execute("ALTER TABLE hourstream.journal_postings SET (autovacuum_enabled = false)")
    for start in range(0, 12_000, 2_000):
        charges = [charge(str(n)) for n in range(start, start + 1_000)]
        began = time.perf_counter()
        journal.write(batch(2 * start, [*charges, *map(reversal, charges)], end=2 * start + 4_000))
        seconds.append(time.perf_counter() - began)
    # A plan that compares every row with every other one takes minutes, not a few times the first batch.
    assert max(seconds[1:]) < 10 * seconds[0] + 2
