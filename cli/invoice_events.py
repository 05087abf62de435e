"""`hourstream invoice status|pay|link`: a person's report on an invoice, in the form of a billing system's report."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import click

from cli.context import attached, console
from common.decimals import plain
from common.errors import InvalidRecord
from common.timestamps import instant_text
from invoicing.outbox_records import SYSTEM
from invoicing.status_intake import EVENTS_TOPIC, StatusIntake
from invoicing.status_mapping import DEFAULT, load_words
from operations.jsonl_ingest import Publisher
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from warehouse.reports import InvoiceSummary, invoices

AT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


def desk_of(pool: Pool) -> StatusIntake:
    """The desk as the billing worker has it."""
    return StatusIntake(pool, load_words(Settings.load().billing_statuses or DEFAULT))


@click.command()
@click.argument("invoice_id")
@click.argument("status", type=click.Choice(["sent", "part_paid", "paid", "disputed"]))
@click.option("--at", type=AT, help="When, in UTC; now by default.")
def status(invoice_id: str, status: str, at: datetime | None) -> None:
    """Note that an invoice is sent, disputed, or paid without saying how much."""
    _say(invoice_id, {"event_id": f"status:{uuid.uuid4()}", "status": status, "at": _instant(at)})


@click.command()
@click.argument("invoice_id")
@click.argument("amount")
@click.option("--reference", required=True, help="The bank's reference; again for this invoice: the same payment.")
@click.option("--currency", help="Of the payment; the invoice's by default.")
@click.option("--at", type=AT, help="When, in UTC; now by default.")
def pay(invoice_id: str, amount: str, reference: str, currency: str | None, at: datetime | None) -> None:
    """Note a payment of AMOUNT for an invoice; below zero (after `--`): given back."""
    try:
        paid = plain(Decimal(amount))
    except InvalidOperation:
        raise click.UsageError(f"{amount!r} is no amount") from None
    payment = {"amount": paid, "currency": currency, "reference": reference}
    _say(invoice_id, {"event_id": f"payment:{invoice_id}:{reference}", "payment": payment, "at": _instant(at)})


@click.command()
@click.argument("system")
@click.argument("number")
@click.argument("invoice_id")
def link(system: str, number: str, invoice_id: str) -> None:
    """Link NUMBER of SYSTEM to our INVOICE_ID: the system's reports on it are then applied."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        desk_of(pool).link(system, number, invoice_id)
    console.print(f"{number} of {system} is {invoice_id}")


def _say(invoice_id: str, event: dict[str, object]) -> None:
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        payment = event.get("payment")
        if isinstance(payment, dict) and payment["currency"] is None:
            payment["currency"] = _invoice(pool, invoice_id).currency
        elif payment is None:
            _invoice(pool, invoice_id)
        record = {"system": SYSTEM, "invoice": invoice_id, "charge_ids": [], "revision": 1, **event}
        publisher = Publisher(stack.broker)
        try:
            publisher.publish(EVENTS_TOPIC, f"{SYSTEM}:{invoice_id}", record)
        except InvalidRecord as wrong:
            raise click.UsageError(str(wrong)) from wrong
        publisher.finish()
    console.print(f"{event['event_id']} of {invoice_id} is on {EVENTS_TOPIC}; the billing worker acts on it")


def _invoice(pool: Pool, invoice_id: str) -> InvoiceSummary:
    found = next((one for one in invoices(pool) if one.invoice_id == invoice_id), None)
    if found is None:
        raise click.ClickException(f"there is no invoice {invoice_id}: see `hourstream invoice list`")
    return found


def _instant(at: datetime | None) -> str:
    return instant_text(datetime.now(UTC) if at is None else at.replace(tzinfo=UTC))
