"""The steps of a trace, and their words: the same for the console (read models) and the command line (topics).

Source record -> revisions -> charges, reversals and exceptions -> posting -> invoice -> status and payment.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from warehouse.queries.invoices import BillingReport, StatusRow
from warehouse.queries.sql import StoredText
from warehouse.queries.traced_charges import TracedCharge

STAGES = ("source", "fact", "decision", "exception", "reversal", "charge", "posting", "invoice", "report", "status",
          "payment")  # fmt: skip
"""In the order of steps at one instant. A report is what a billing system reported of an invoice, a payment apart."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One thing that happened; `where` is a topic's record or a document, `charge_id` and `invoice_id` lead on."""

    at: datetime
    stage: str
    what: str
    where: str
    charge_id: str | None = None
    invoice_id: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


def in_order(steps: Iterable[TraceStep]) -> list[TraceStep]:
    """By time, then by stage."""
    return sorted(steps, key=lambda step: (step.at, STAGES.index(step.stage)))


def charge_step(each: TracedCharge) -> TraceStep:
    """The publication of a charge or reversal."""
    stage = "charge" if each.reverses is None else "reversal"
    return TraceStep(
        each.appended_at, stage, each.derivation, each.where, each.charge_id, None, each.amount, each.currency
    )


def posting_words(system: object, status: object, reference: object, period: object, reason: object) -> str:
    """An ERP's answer to a charge, with the accounting period it was posted in where the ERP says so."""
    said = f"{system} {status} {reference}" + (f" in {period}" if period else "")
    return StoredText(f"{said}: {reason}" if reason else said)


def journal_steps(charges: Iterable[TracedCharge]) -> list[TraceStep]:
    """The postings of our own journals."""
    return [
        TraceStep(
            each.posted_at,
            "posting",
            posting_words(
                each.posting_system, each.posting_status, each.posting, each.posting_period, each.posting_reason
            ),
            each.posting,
            each.charge_id,
            None,
            each.amount,
            each.currency,
        )
        for each in charges
        if each.posting is not None and each.posted_at is not None
    ]


def invoice_steps(charges: Iterable[TracedCharge], first_status: Mapping[str, datetime]) -> list[TraceStep]:
    """The invoice each charge is on, when it was run, or at its first status where that was earlier."""
    steps = []
    for each in charges:
        if each.invoice_id is None:
            continue
        at = min(each.run_at or each.appended_at, first_status.get(each.invoice_id, datetime.max.replace(tzinfo=UTC)))
        words = StoredText(f"on {each.invoice_id}, dated {each.issue_date}, {each.invoice_status}")
        steps.append(
            TraceStep(
                at, "invoice", words, each.invoice_id, each.charge_id, each.invoice_id, each.amount, each.currency
            )
        )
    return steps


def status_steps(statuses: Iterable[StatusRow]) -> list[TraceStep]:
    """The statuses of invoices."""
    return [
        TraceStep(
            each.at,
            "status",
            StoredText(f"{each.invoice_id} {each.status.replace('_', ' ')}"),
            each.where,
            None,
            each.invoice_id,
            each.amount,
            each.currency,
        )
        for each in statuses
    ]


def report_step(report: BillingReport) -> TraceStep:
    """A status or payment that a billing system reported for an invoice."""
    words = [f"{report.system} of {report.document}:", report.status or ""]
    if report.payment is not None:
        words.append(f"paid ({report.payment_reference})")
    if report.problem is not None:
        words.append(f"not taken in: {report.problem}")
    words.append(f"on {report.at:%Y-%m-%d %H:%M:%S}")
    stage = "report" if report.payment is None else "payment"
    what = StoredText(" ".join(filter(None, words)))
    return TraceStep(
        report.appended_at, stage, what, report.where, amount=report.payment, currency=report.payment_currency
    )
