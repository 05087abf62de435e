"""The interface of a target that can report the status of its invoices.

A poll returns the events since a cursor. The content of the cursor is private to the source. A repeated event has the
same id, so every reader recognises the duplicate: losing a cursor costs only time. `sinks.delivery.status_poller`
decides the times of polls and keeps events and cursor together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeAlias, TypedDict, runtime_checkable

from common.decimals import plain
from common.timestamps import instant_text

PollCursor: TypeAlias = Mapping[str, object]
"""A cursor in JSON: the progress of a source's reports."""


class PaymentRecord(TypedDict):
    """Money received for an invoice; below zero: given back."""

    amount: Decimal
    currency: str
    reference: str


class StatusRecord(TypedDict):
    """A record of `source.billing.statuses` as the codec encodes it; its key is `SYSTEM:INVOICE`."""

    system: str
    invoice: str
    event_id: str
    reference: str | None
    status: str | None
    payment: PaymentRecord | None
    charge_ids: Sequence[str]
    amount: Decimal | None
    currency: str | None
    at: datetime
    revision: int


def key_of(record: StatusRecord) -> str:
    """The record's key on `source.billing.statuses`."""
    return f"{record['system']}:{record['invoice']}"


def json_of(record: StatusRecord) -> dict[str, object]:
    """The record in its JSON form."""
    payment, amount = record["payment"], record["amount"]
    return {
        **record,
        "payment": None if payment is None else {**payment, "amount": plain(payment["amount"])},
        "charge_ids": list(record["charge_ids"]),
        "amount": None if amount is None else plain(amount),
        "at": instant_text(record["at"]),
    }


@dataclass(frozen=True, slots=True)
class PollResult:
    """New events, the cursor of the next poll, and whether there is more at once."""

    events: Sequence[StatusRecord]
    cursor: PollCursor
    more: bool = False


@runtime_checkable
class StatusSource(Protocol):
    """A target that reports the states of its invoices and their payments when it is polled."""

    @property
    def name(self) -> str:
        """The system's name: `system` of its events; `invoicing/statuses.yaml` maps its words."""

    def look(self, cursor: PollCursor | None) -> PollResult:
        """Events since the cursor of the poll before; None: all events so far. Changes nothing.

        A poll carries a bounded number of events (`more` says that it stopped there). Raises TargetUnavailable.
        """
