"""The status of an invoice, a pure function of the reports of billing systems: statuses and payments (DESIGN.md §5).

Events count in order of their instant (then id), in whatever order they arrive. Payments are summed: the full amount
makes the invoice paid, less makes it paid in part. A system that reports `paid` without a payment is believed until
money goes back. A dispute stands until the system reports another status or the invoice is paid; a payment in part does
not end it. Voided is final.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Status = Literal["issued", "sent", "part_paid", "paid", "disputed", "voided"]


@dataclass(frozen=True, slots=True, order=True)
class InvoiceEvent:
    """A billing system's report: a status, a payment (below zero: refunded) in the invoice's currency, or both."""

    at: datetime
    event_id: str
    status: Status | None = None
    payment: Decimal | None = None


@dataclass(frozen=True, slots=True)
class InvoiceStanding:
    """The status of an invoice, its instant, and the sum of its payments by then."""

    status: Status
    at: datetime
    paid: Decimal


def history(payable: Decimal, events: Iterable[InvoiceEvent]) -> tuple[InvoiceStanding, ...]:
    """The statuses of an issued invoice over `payable` (below zero: a credit note), in order.

    A further payment in part has a status of its own.
    """
    found: list[InvoiceStanding] = []
    said: Status = "issued"
    paid = Decimal(0)
    for event in sorted(events, key=lambda event: (event.at, event.event_id)):
        if event.payment is not None:
            paid += event.payment
            if _is_given_back(event.payment, payable) and said in ("paid", "part_paid"):
                said = "issued"
        said = event.status or said
        status = _status(said, paid, payable)
        before = found[-1] if found else InvoiceStanding("issued", event.at, Decimal(0))
        if status != before.status or (status == "part_paid" and paid != before.paid):
            found.append(InvoiceStanding(status, event.at, paid))
        if status == "voided":
            break
    return tuple(found)


def _status(said: Status, paid: Decimal, payable: Decimal) -> Status:
    if said == "voided":
        return said
    if said == "paid" or _covers(paid, payable):
        return "paid"
    if said == "disputed":
        return said
    if said == "part_paid" or (paid and not _is_given_back(paid, payable)):
        return "part_paid"
    return said


def _covers(paid: Decimal, payable: Decimal) -> bool:
    return paid >= payable if payable > 0 else paid <= payable < 0


def _is_given_back(payment: Decimal, payable: Decimal) -> bool:
    """Whether money moved in the direction opposite to the invoice."""
    return payment > 0 if payable < 0 else payment < 0
