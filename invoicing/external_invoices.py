"""Adopts invoices that another system made of our charges, so that no charge is invoiced twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.decimals import plain
from invoicing.credit_state import credit_state
from invoicing.draft import Draft, draft_invoices
from invoicing.outbox_records import STATUS_TOPIC, announce, status_records
from invoicing.problems import ProblemFound, StatusProblem
from invoicing.status_events import StoredEvent
from invoicing.store import open_charges, store_foreign
from rating.model.money import minor_units, zero


def register(cursor: Cursor[TupleRow], event: StoredEvent, issued_at: datetime) -> str:
    """Adopt the invoice as issued, with the charges that the event lists; returns its document.

    Its amounts are computed as for our own invoices. A difference to the other system's total, up to a minor unit per
    charge, is rounding. Raises ProblemFound, and then adopts nothing.
    """
    charges = _known(cursor, event.charge_ids)
    due = open_charges(cursor, [name for name, reason in charges.items() if reason != "NON_BILLABLE"])
    taken = {charge.charge_id for charge in due}
    if twice := sorted(name for name, reason in charges.items() if reason != "NON_BILLABLE" and name not in taken):
        message = f"charge {twice[0]} is on a live invoice already, so {event.system} {event.invoice} bills it twice"
        raise ProblemFound(StatusProblem("CHARGE_INVOICED_TWICE", f"{message}: void one of the two", None))
    drafts = draft_invoices(due, credit_state(cursor, due).rests)
    if not drafts:
        raise ProblemFound(
            StatusProblem("NOTHING_TO_INVOICE", f"{event.system} {event.invoice} bills no billable charge", None)
        )
    document = f"{event.system}:{event.invoice}"
    drafts = _to_the_total(event, drafts)
    names = store_foreign(cursor, drafts, event.system, document, issued_at)
    records = [
        record
        for name, d in zip(names, drafts, strict=True)
        if d.is_document
        for record in status_records(name, d.charges, "issued", d.payable, d.account.currency, issued_at, 1)
    ]
    announce(cursor, STATUS_TOPIC, records)
    return document


def _known(cursor: Cursor[TupleRow], charge_ids: Sequence[str]) -> dict[str, str | None]:
    """{charge id: its reason} of the charges listed."""
    found = cursor.execute(
        "SELECT charge_id, reason FROM hourstream.charges WHERE charge_id = ANY(%s)", (list(charge_ids),)
    )
    known = {str(charge_id): reason for charge_id, reason in found.fetchall()}
    if unknown := sorted(set(charge_ids) - set(known)):
        message = f"charge {unknown[0]} ({len(unknown)} of {len(charge_ids)}) is not known (yet)"
        raise ProblemFound(StatusProblem("UNKNOWN_CHARGE", message, ("charge", unknown[0])))
    return known


def _to_the_total(event: StoredEvent, drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts with the other system's rounding difference on the last one."""
    currencies = {draft.account.currency for draft in drafts}
    currency = event.currency or drafts[0].account.currency
    if currencies != {currency}:
        charged = ", ".join(sorted(currencies))
        message = f"{event.system} {event.invoice} is in {currency}, its charges are in {charged}"
        raise ProblemFound(StatusProblem("OTHER_CURRENCY", message, None))
    total = sum((draft.payable for draft in drafts), zero(currency))
    rest = Decimal(0) if event.amount is None else event.amount - total
    if abs(rest) > Decimal(len(event.charge_ids)).scaleb(-minor_units(currency)):
        message = (
            f"{event.system} {event.invoice} is over {plain(event.amount or total)} {currency}, its charges come to"
        )
        raise ProblemFound(StatusProblem("INVOICE_DIFFERS", f"{message} {plain(total)} with tax", None, rest))
    *most, last = drafts
    return [*most, replace(last, rounding=last.rounding + rest, payable=last.payable + rest)]
