"""Closing months on a real journal: balanced entries, only differences on a second run, balances that tie."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import psycopg
import pytest

from accounting.journal_balance import journal_balance
from accounting.journal_entries import entries
from accounting.revenue_close import Closed, NoMonth, close
from accounting.revenue_totals import plan, revenue_totals
from assurance.posted_charges import holdings
from assurance.sink_snapshot import residues
from rating.model.master_data import Engagement
from sinks.journal import JOURNAL, Journal
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge, reversal
from tests.integration.sinks.test_invoice_run import publish
from tests.unit.rating.test_revenue import contract
from topics.catalogue import CHARGES_TOPIC
from warehouse.reports import client_totals

AT = datetime(2024, 7, 1, tzinfo=UTC)
MONTHS = [f"2024-{month:02}" for month in range(1, 5)]
TERMS = {"client_id": "C-1", "legal_entity": "LE-1", "currency": "EUR"}
RETAINER = contract("E3", starts_on="2024-01-15", ends_on="2024-04-13", **TERMS)  # 90 days, four fees of 500.00
STAGES = [{"milestone_id": "1", "name": "a", "amount": "600"}, {"milestone_id": "2", "name": "b", "amount": "400"}]
FIXED = contract("E4", milestones=STAGES, **TERMS)
CONTRACTS = {each.engagement_id: each for each in (RETAINER, FIXED)}
ALL = {(engagement_id, month) for engagement_id in (*CONTRACTS, "E-1") for month in MONTHS}


def fee(month: str, amount: str = "500.00") -> ChargeRecord:
    """The retainer's fee of a month."""
    day = date.fromisoformat(f"{month}-01")
    return charge("", amount, subject=f"fee:{month}", engagement_id="E3", work_date=day, billable_minutes=0)


def stage(name: str, amount: str, month: str) -> ChargeRecord:
    """A completed milestone of the fixed fee."""
    day = date.fromisoformat(f"{month}-20")
    return charge("", amount, subject=f"milestone:{name}", engagement_id="E4", work_date=day, billable_minutes=0)


def covered(name: str, month: str, minutes: int) -> ChargeRecord:
    """Time on the fixed fee."""
    day = date.fromisoformat(f"{month}-10")
    return charge(name, "0.00", engagement_id="E4", work_date=day, billable_minutes=minutes, reason="COVERED_BY_FEE")


def closes(
    pool: Pool,
    period: str,
    closed: Collection[tuple[str, str]] = ALL,
    engagements: dict[str, Engagement] = CONTRACTS,
) -> Closed:
    """One close of the journal."""
    return close(pool, period, engagements=engagements, closed=closed, at=AT, system=JOURNAL)


def told(done: Closed) -> list[tuple[str, str, str]]:
    """Month, engagement and revenue of each entry."""
    return [(one.period, one.account.engagement_id, f"{one.revenue:.2f}") for one in done.posted]


def test_each_close_posts_what_the_month_has_earned_and_a_second_one_nothing(pool: Pool) -> None:
    publish(pool, *map(fee, MONTHS[:3]), charge("t", "70.00", work_date=date(2024, 1, 9)))
    assert told(closes(pool, "2024-01")) == [("2024-01", "E3", "-122.22")]
    assert told(closes(pool, "2024-01")) == []
    assert told(closes(pool, "2024-02")) == [("2024-02", "E3", "144.44")]  # from 122.22 deferred to 22.22 unbilled
    (total,) = revenue_totals(pool, JOURNAL, "2024-02")
    assert (total.charged, total.revenue, total.deferred, f"{total.unbilled:.2f}") == (
        1070,
        Decimal("1092.22"),
        0,
        "22.22",
    )
    assert total.ties
    publish(pool, fee(MONTHS[3]))
    closes(pool, "2024-03")
    closes(pool, "2024-04")
    (total,) = revenue_totals(pool, JOURNAL, "2024-04")
    assert (total.charged, total.revenue, total.deferred, total.unbilled) == (2070, 2070, 0, 0)
    assert [balance.balance for balance in journal_balance(pool, JOURNAL)] == [0]


def test_what_came_late_is_the_difference_of_the_next_close_and_of_those_after_it(pool: Pool) -> None:
    publish(pool, fee("2024-01"), fee("2024-02"))
    closes(pool, "2024-01")
    closes(pool, "2024-02")
    publish(pool, reversal(fee("2024-01")), charge("", "400.00", subject="fee:2024-01", engagement_id="E3", n=2,
                                                   work_date=date(2024, 1, 1), billable_minutes=0))  # fmt: skip
    cheaper = CONTRACTS | {"E3": contract("E3", starts_on="2024-01-15", ends_on="2024-04-13", **TERMS, retainer={
        "included_minutes": 0, "monthly_fee": "400", "rollover_months": 0})}  # fmt: skip
    done = closes(pool, "2024-01", engagements=cheaper)
    # 17 of 90 days of 1600 and no longer of 2000, against 400 and no longer 500
    assert done.periods == ("2024-01", "2024-02")
    assert told(done) == [("2024-01", "E3", "24.44"), ("2024-02", "E3", "-128.88")]
    assert all(total.ties for total in revenue_totals(pool, JOURNAL, "2024-02"))
    assert told(closes(pool, "2024-02", engagements=cheaper)) == []


def test_a_fixed_fee_is_earned_by_milestone_until_minutes_are_planned(pool: Pool) -> None:
    publish(pool, stage("1", "600.00", "2024-01"), covered("a", "2024-01", 300), covered("b", "2024-02", 300))
    assert told(closes(pool, "2024-01")) == [("2024-01", "E3", "377.78")]  # the retainer, which charged nothing yet
    plan(pool, "E4", 1000, reason="as offered", by="lead", at=AT)
    assert told(closes(pool, "2024-01")) == [("2024-01", "E4", "-300.00")]
    assert told(closes(pool, "2024-02"))[-1] == ("2024-02", "E4", "300.00")
    publish(pool, stage("2", "400.00", "2024-03"))
    assert told(closes(pool, "2024-03")) == [("2024-03", "E3", "688.89")]
    plan(pool, "E4", None, reason="too vague", by="lead", at=AT)
    assert ("2024-01", "E4", "300.00") in told(closes(pool, "2024-01"))
    assert all(total.ties for month in MONTHS for total in revenue_totals(pool, JOURNAL, month))


def test_a_month_that_is_not_closed_is_left_alone_and_named(pool: Pool) -> None:
    publish(pool, fee("2024-01"), stage("1", "600.00", "2024-01"))
    done = closes(pool, "2024-01", closed={("E4", "2024-01")})
    assert (told(done), done.still_open) == ([], ("E3",))
    with pytest.raises(NoMonth):
        closes(pool, "2024-13")


def test_an_engagement_that_moved_to_another_client_is_earned_there(pool: Pool) -> None:
    moved = {"E3": contract("E3", starts_on="2024-01-15", ends_on="2024-04-13", **TERMS | {"client_id": "C-2"})}
    publish(pool, fee("2024-01"))
    closes(pool, "2024-01")
    publish(pool, reversal(fee("2024-01")), fee("2024-01") | {"charge_id": "moved", "client_id": "C-2"})  # type: ignore[list-item]
    closes(pool, "2024-01", engagements=moved)
    found = {total.client_id: (total.revenue, total.deferred) for total in revenue_totals(pool, JOURNAL, "2024-01")}
    assert found == {"C-1": (0, 0), "C-2": (Decimal("377.78"), Decimal("122.22"))}


def test_revenue_entries_are_no_postings_of_charges(pool: Pool) -> None:
    publish(pool, fee("2024-01"))
    closes(pool, "2024-01")
    assert [charge_id for _, charge_id in holdings(pool).posted] == [fee("2024-01")["charge_id"]]
    assert all(total.posted == total.invoiced + total.open for total in client_totals(pool))
    assert set(residues(pool).values()) == {0}
    with entries(pool, JOURNAL) as found:
        assert len(list(found)) == 1
    with pytest.raises(psycopg.errors.CheckViolation), pool.connection() as connection:
        connection.execute("DELETE FROM hourstream.journal_lines WHERE account = '2400'")


@pytest.mark.parametrize("seed", range(4))
def test_after_random_histories_and_closes_the_balances_tie(pool: Pool, seed: int) -> None:
    random, made, n = Random(seed), list[ChargeRecord](), 0
    for _ in range(12):
        offered: list[ChargeRecord] = []
        for _ in range(random.randrange(1, 8)):
            n += 1
            month = random.choice(MONTHS)
            one = random.choice(
                [
                    fee(month) | {"charge_id": f"f{n}"},
                    stage(random.choice("12"), "500.00", month) | {"charge_id": f"m{n}"},
                    covered(f"c{n}", month, random.randrange(600)),
                    charge(f"t{n}", f"{random.randrange(10_000) / 100:.2f}", client_id=random.choice(["C-1", "C-2"])),
                ]
            )
            offered.append(one)  # type: ignore[arg-type]
            made.append(one)  # type: ignore[arg-type]
        undone = [made.pop(random.randrange(len(made))) for _ in range(random.randrange(3)) if made]
        journal = Journal(pool)
        journal.write(batch(journal.positions(CHARGES_TOPIC, 0), [*offered, *map(reversal, undone)]))
        if random.random() < 0.3:
            plan(pool, "E4", random.choice([None, 500, 5000]), reason="x", by="lead", at=AT)
        month = random.choice(MONTHS)
        closes(pool, month)
        assert told(closes(pool, month)) == []
        assert all(total.ties for each in MONTHS for total in revenue_totals(pool, JOURNAL, each))
    assert {balance.balance for balance in journal_balance(pool, JOURNAL)} <= {0}


def test_closes_at_the_same_time_post_once(pool: Pool) -> None:
    publish(pool, fee("2024-01"))
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: closes(pool, "2024-01"), range(4)))
    assert sorted(len(each.posted) for each in done) == [0, 0, 0, 1]
