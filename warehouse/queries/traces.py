"""The trace of one subject from the read models; `warehouse.topic_trace` reads the same from the topics."""

from dataclasses import dataclass
from datetime import datetime

from warehouse.queries.invoices import reports_of, statuses_of
from warehouse.queries.sql import Asking, rows
from warehouse.queries.traced_charges import charges_of
from warehouse.trace_steps import (
    TraceStep,
    charge_step,
    in_order,
    invoice_steps,
    journal_steps,
    report_step,
    status_steps,
)


@dataclass(frozen=True, slots=True)
class _HistoryRow:
    at: datetime
    stage: str
    what: str
    where: str
    source: str | None


def trace(cursor: Asking, engagement_id: str, subject: str) -> list[TraceStep]:
    """Everything that happened to a subject; empty for one that is not known."""
    history = rows(
        cursor,
        _HistoryRow,
        "SELECT appended_at AS at, stage, what, topic || '[' || partition || ']@' || record_offset AS \"where\", source"
        " FROM hourstream.history WHERE subject = %(subject)s AND engagement_id = %(engagement)s"
        " ORDER BY appended_at, topic, record_offset LIMIT 1000",
        {"engagement": engagement_id, "subject": subject},
    )
    first_of_source = {h.source: h for h in reversed(history) if h.source is not None}
    charges = charges_of(cursor, engagement_id, subject)
    once = {charge.charge_id: charge for charge in charges}.values()  # a row for each journal
    statuses = statuses_of(cursor, sorted({each.invoice_id for each in charges if each.invoice_id}))
    return in_order(
        [
            *(TraceStep(h.at, h.stage, h.what, h.where) for h in history),
            *(
                TraceStep(h.at, "source", f"made from {source}", source.rpartition(" at ")[2])
                for source, h in first_of_source.items()
            ),
            *map(charge_step, once),
            *journal_steps(charges),
            *invoice_steps(once, {status.invoice_id: status.at for status in reversed(statuses)}),
            *status_steps(statuses),
            *map(report_step, reports_of(cursor, engagement_id, subject)),
        ]
    )
