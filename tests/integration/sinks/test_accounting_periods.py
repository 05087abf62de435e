"""Accounting periods on a real journal: corrections go to the first open month, a closed one keeps its figures."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from accounting.accounting_periods import JournalBehind, PeriodRefused, Status, act, listed
from accounting.revenue_close import close
from accounting.revenue_totals import revenue_totals
from sinks.delivery.memory_target import MemoryTarget
from sinks.journal import JOURNAL, Journal
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.delivering import await_delivered, delivering
from tests.contract.sinks.sink_charges import batch, charge, reversal
from tests.integration.sinks.scripted import announced
from tests.integration.sinks.test_revenue_close import CONTRACTS, MONTHS, fee

FIFTH = datetime(2025, 4, 5, 12, tzinfo=UTC)
AFTER = FIFTH + timedelta(days=1)


def acts(
    pool: Pool, status: Status, period: str, at: datetime = FIFTH, published: int = 0, entity: str = "LE-1"
) -> None:
    act(pool, status, entity, period, reason="month end", by="ann", at=at, published={0: published})


def periods(pool: Pool, system: str = JOURNAL) -> dict[str, str]:
    """{charge id: posting period}."""
    with pool.connection() as connection:
        found = connection.execute(
            "SELECT charge_id, posting_period FROM hourstream.journal_postings WHERE system = %s", (system,)
        )
        return dict(found.fetchall())


def figures(pool: Pool, period: str) -> list[tuple[str, Decimal, int]]:
    """Accounts of a posting period, their balance, and how many lines it has."""
    with pool.connection() as connection:
        return connection.execute(
            "SELECT l.account, sum(l.debit - l.credit), count(*) FROM hourstream.journal_postings p"
            " JOIN hourstream.journal_lines l ON l.posting = p.number WHERE p.posting_period = %s"
            " GROUP BY 1 ORDER BY 1",
            (period,),
        ).fetchall()


def corrected(first: ChargeRecord, amount: str) -> tuple[ChargeRecord, ChargeRecord]:
    """The reversal of a charge and the charge in its place, decided after the close."""
    return reversal(first, decided_at=AFTER), charge("a", amount, n=2, decided_at=AFTER)


def test_a_correction_of_a_closed_month_goes_to_the_open_one(pool: Pool) -> None:
    """100.00 of March; April corrects it to 80.00: March keeps 100.00, April has -20.00."""
    journal, first = Journal(pool), charge("a", "100.00")
    journal.write(batch(0, [first]))
    acts(pool, "closed", "2025-03", published=2)
    before = figures(pool, "2025-03")
    back, anew = corrected(first, "80.00")
    journal.write(batch(2, [back, anew]))
    assert periods(pool) == {
        first["charge_id"]: "2025-03",
        back["charge_id"]: "2025-04",
        anew["charge_id"]: "2025-04",
    }
    assert figures(pool, "2025-03") == before == [("1210", 100, 1), ("4000", -100, 1)]
    assert figures(pool, "2025-04") == [("1210", -20, 2), ("4000", 20, 2)]


def test_a_posting_says_its_period_in_the_journal_and_in_other_systems(pool: Pool) -> None:
    """100.00 is posted to March; its correction, and the reversal of that, to April, in both books."""
    journal, first = Journal(pool), charge("a", "100.00")
    with delivering(pool, MemoryTarget()) as sink:
        for each in (journal, sink):
            each.write(batch(0, [first]))
        await_delivered(pool, "memory")
        acts(pool, "closed", "2025-03", published=2)
        back, anew = corrected(first, "80.00")
        for each in (journal, sink):
            each.write(batch(2, [back, anew, reversal(anew, decided_at=AFTER)]))
        await_delivered(pool, "memory")
    said = {(one["system"], one["charge_id"]): one["posting_period"] for one in announced(pool, "erp.postings")}
    months = [said["journal", one["charge_id"]] for one in (first, back, anew, reversal(anew))]
    assert months == ["2025-03", "2025-04", "2025-04", "2025-04"]
    assert {name: month for (system, name), month in said.items() if system == "memory"} == periods(pool)


def test_a_reversal_of_a_charge_that_went_to_a_later_month_goes_to_no_earlier_one(pool: Pool) -> None:
    journal, late = Journal(pool), charge("a", decided_at=AFTER)
    acts(pool, "closed", "2025-03")
    journal.write(batch(0, [late]))
    acts(pool, "open", "2025-03", AFTER, published=2)
    back = reversal(late, decided_at=AFTER + timedelta(days=1))
    journal.write(batch(2, [back]))
    assert periods(pool) == {late["charge_id"]: "2025-04", back["charge_id"]: "2025-04"}


def test_a_charge_on_its_way_at_the_close_goes_to_the_open_month(pool: Pool) -> None:
    """Decided before the close, posted after it."""
    acts(pool, "closed", "2025-03")
    on_its_way = charge("a", decided_at=FIFTH - timedelta(seconds=1))
    Journal(pool).write(batch(0, [on_its_way]))
    assert periods(pool) == {on_its_way["charge_id"]: "2025-04"}


def test_a_journal_made_anew_has_the_same_periods(pool: Pool) -> None:
    first = charge("a", "100.00")
    Journal(pool).write(batch(0, [first]))
    acts(pool, "closed", "2025-03", published=2)
    Journal(pool).write(batch(2, corrected(first, "80.00")))
    second = Journal(pool, system="second")
    second.write(batch(0, [first]))
    second.write(batch(2, corrected(first, "80.00")))
    assert periods(pool, "second") == periods(pool)


def test_what_was_refused_before_the_close_is_posted_to_the_open_month(pool: Pool) -> None:
    original, journal = charge("a"), Journal(pool)
    journal.write(batch(0, [reversal(original)]))  # refused: it reverses nothing known
    acts(pool, "closed", "2025-03", published=2)
    journal.write(batch(2, [original, reversal(original)]))
    assert set(periods(pool).values()) == {"2025-04"}
    assert figures(pool, "2025-03") == []


def test_a_close_waits_for_the_journal(pool: Pool) -> None:
    Journal(pool).write(batch(0, [charge("a")]))
    with pytest.raises(JournalBehind, match=r"has 3 records of billing\.ready to post"):
        acts(pool, "closed", "2025-03", published=5)
    assert listed(pool)[0].status == "open"


@pytest.mark.parametrize(
    ("status", "period", "entity", "why"),
    [
        ("closed", "2025-13", "LE-1", "is no month"),
        ("closed", "2025-05", "LE-1", "is to come"),
        ("open", "2025-02", "LE-1", "is open already"),
        ("closed", "2025-02", " ", "name the legal entity"),
    ],
)
def test_what_cannot_be_done_is_refused(pool: Pool, status: Status, period: str, entity: str, why: str) -> None:
    with pytest.raises(PeriodRefused, match=why):
        acts(pool, status, period, entity=entity)


def test_acts_are_kept_for_good(pool: Pool) -> None:
    acts(pool, "closed", "2025-03")
    for change in (
        "UPDATE hourstream.accounting_periods SET reason = 'x'",
        "DELETE FROM hourstream.accounting_periods",
    ):
        with pytest.raises(psycopg.errors.CheckViolation, match="never changed"), pool.connection() as connection:
            connection.execute(change)
    (found,) = listed(pool, "LE-1")
    assert (found.period, found.status, found.acted_by, found.reason) == ("2025-03", "closed", "ann", "month end")


def test_a_revenue_close_leaves_a_closed_accounting_period_alone(pool: Pool) -> None:
    """A fee that comes for January after its close: deferred and earned in February's entry, January stays."""
    at = datetime(2024, 2, 5, tzinfo=UTC)
    journal = Journal(pool)
    journal.write(batch(0, [fee("2024-01")]))
    closed = {("E3", month) for month in MONTHS}
    close(pool, "2024-01", engagements=CONTRACTS, closed=closed, at=at, system=JOURNAL)
    acts(pool, "closed", "2024-01", at, published=2)
    before = figures(pool, "2024-01"), revenue_totals(pool, JOURNAL, "2024-01")
    late = charge("late", "70.00", work_date=date(2024, 1, 9), engagement_id="E3", decided_at=at + timedelta(days=1))
    journal.write(batch(2, [late, {**fee("2024-02"), "decided_at": at + timedelta(days=1)}]))
    done = close(pool, "2024-01", engagements=CONTRACTS, closed=closed, at=at, system=JOURNAL)
    assert done.posted == ()
    close(pool, "2024-02", engagements=CONTRACTS, closed=closed, at=at, system=JOURNAL)
    assert (figures(pool, "2024-01"), revenue_totals(pool, JOURNAL, "2024-01")) == before
    (total,) = revenue_totals(pool, JOURNAL, "2024-02")
    assert (total.charged, total.ties) == (1070, True)
