"""The charges that the sinks hold, for the audit's comparison with `billing.ready` (DOMAIN.md §5.3)."""

from dataclasses import dataclass
from decimal import Decimal

from storage.postgres import Pool, transaction


@dataclass(frozen=True, slots=True)
class Holdings:
    """Charges in journals, as (system, charge id), and charge ids on live invoices, one per occurrence.

    `delivered`: charge ids that a system outside has posted, one per system, which itself excludes repeats.
    """

    posted: tuple[tuple[str, str], ...]
    invoiced: tuple[str, ...]
    delivered: tuple[str, ...] = ()


def holdings(pool: Pool) -> Holdings:
    """All of them. Raises Unreachable."""
    with transaction(pool) as cursor:
        posted = cursor.execute(
            "SELECT system, charge_id FROM hourstream.journal_postings WHERE status = 'posted' AND entry = 'charge'"
        ).fetchall()
        invoiced = cursor.execute("SELECT charge_id FROM hourstream.invoice_charges WHERE live").fetchall()
        delivered = cursor.execute("SELECT charge_id FROM hourstream.deliveries WHERE state = 'posted'").fetchall()
    return Holdings(
        tuple((str(system), str(charge_id)) for system, charge_id in posted),
        tuple(str(charge_id) for (charge_id,) in invoiced),
        tuple(str(charge_id) for (charge_id,) in delivered),
    )


@dataclass(frozen=True, slots=True)
class ReasonTotals:
    """The total of the charges of one reason (None: billed as worked), reversals netted."""

    reason: str | None
    currency: str
    charges: int
    worked_minutes: int
    amount: Decimal


def totals_by_reason(pool: Pool) -> list[ReasonTotals]:
    """The projection of charges by reason and currency. Raises Unreachable."""
    query = (
        "SELECT reason, currency, count(*) FILTER (WHERE reverses IS NULL) - count(reverses),"
        " sum(worked_minutes)::bigint, sum(amount) FROM hourstream.charges GROUP BY reason, currency ORDER BY 1, 2"
    )
    with transaction(pool) as cursor:
        return [ReasonTotals(*row) for row in cursor.execute(query).fetchall()]
