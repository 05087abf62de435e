"""Whatever was charged, reversed, invoiced and voided: once everything is credited, nothing is owed."""

from contextlib import suppress
from decimal import Decimal
from random import Random

import pytest

from invoicing.run import run_invoices
from invoicing.void import NotVoidable, void_invoice
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import charge, reversal
from tests.integration.sinks.test_invoice_run import AT, TERMS, audit_holds, publish

TREATMENTS = [("S", Decimal(20)), ("S", Decimal(7)), ("Z", Decimal(0)), ("E", Decimal(0))]


class History:
    """One engagement: random charges and reversals, runs and voids."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._pool, self._random = pool, Random(seed)
        self._engagement = f"E-{seed}"
        self._made = 0
        self._current: list[ChargeRecord] = []

    def play(self) -> None:
        """Some steps, and in the end the credit of everything."""
        for _ in range(self._random.randint(3, 7)):
            self._publish()
            self._run()
            if self._random.random() < 0.3:
                self._void()
        publish(self._pool, *map(reversal, self._current))
        self._run()

    def owed(self) -> Decimal:
        """What all its live documents ask for."""
        with self._pool.connection() as connection:
            row = connection.execute(
                "SELECT coalesce(sum(payable), 0) FROM hourstream.invoices"
                " WHERE engagement_id = %s AND status = 'issued'",
                (self._engagement,),
            ).fetchone()
        return Decimal("NaN") if row is None else Decimal(row[0])

    def _publish(self) -> None:
        taken = [each for each in self._current if self._random.random() < 0.3]
        new = [self._charge() for _ in range(self._random.randint(0, 4))]
        self._current = [each for each in self._current if each not in taken] + new
        publish(self._pool, *map(reversal, taken), *new)

    def _charge(self) -> ChargeRecord:
        self._made += 1
        category, rate = self._random.choice(TREATMENTS)
        amount = self._random.choice(["68.33", "57.50", "85.00", "0.01", f"{self._random.randint(1, 20000) / 100:.2f}"])
        return charge(str(self._made), amount, engagement_id=self._engagement, tax_category=category, tax_rate=rate)

    def _run(self) -> None:
        done = run_invoices(self._pool, end_offsets={}, **TERMS)
        assert (done.invalid, done.refused) == ((), ())

    def _void(self) -> None:
        with self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT invoice_id FROM hourstream.invoices WHERE engagement_id = %s AND status = 'issued' ORDER BY 1",
                (self._engagement,),
            ).fetchall()
        if rows:
            with suppress(NotVoidable):
                void_invoice(self._pool, self._random.choice(rows)[0], at=AT, reason="test")


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_after_everything_is_credited_no_cent_is_left(pool: Pool, first: int) -> None:
    histories = [History(pool, seed) for seed in range(first, first + 20)]
    for each in histories:
        each.play()
    assert {n: owed for n, each in enumerate(histories, first) if (owed := each.owed())} == {}
    assert audit_holds(pool)
