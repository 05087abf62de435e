"""`hourstream invoice`: invoice runs (DOMAIN §4), documents, and voiding; payments are in `invoice_events`."""

from datetime import UTC, date, datetime
from pathlib import Path

import click
from rich.table import Table

from cli.context import attached, console, print_json
from cli.invoice_documents import (
    DATE,
    Documents,
    charge_ends,
    render_documents,
    report_run,
    require_clients,
    write_documents,
)
from cli.invoice_drafts import approve, draft, issue_
from cli.invoice_events import desk_of, link, pay, status
from invoicing.holds import read_holds
from invoicing.party_lookup import names
from invoicing.run import InvoiceRun, run_invoices
from invoicing.void import void_invoice
from rating.model.money import rounded_money
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from warehouse.reports import invoices


@click.group()
def invoice() -> None:
    """Invoices and credit notes."""


@invoice.command("run")
@click.option("--cut-off", type=DATE, required=True, help="Last day of work to invoice.")
@click.option("--issue-date", type=DATE, required=True, help="The date on the documents.")
@click.option("--client", "clients", multiple=True, metavar="ID", help="Only this client; may be given several times.")
@click.option("--out", "out_dir", type=click.Path(file_okay=False, path_type=Path), help="Where UBL 2.1 files go.")
@click.option(
    "--pdf", is_flag=True, help="Beside each file a PDF for people, with the invoice as data inside (Factur-X)."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def run_(
    cut_off: datetime,
    issue_date: datetime,
    clients: tuple[str, ...],
    out_dir: Path | None,
    pdf: bool,
    as_json: bool,
) -> None:
    """Invoice charges that are not invoiced yet. The billing worker must have read every charge.

    Every file is checked against the official rules of EN 16931. Exit status 1 when a file breaks them, when an account
    could not be invoiced, or when a file could not be written; all other invoices are made all the same.
    """
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        done = issue(pool, stack.broker, cut_off.date(), issue_date.date(), clients)
        written = write_documents(pool, done, out_dir, names(stack.broker), pdf) if out_dir else Documents()
    report_run(done, written, as_json)


def issue(pool: Pool, broker: str, cut_off: date, issue_date: date, clients: tuple[str, ...] = ()) -> InvoiceRun:
    """One invoice run over what `billing.ready` holds now, of these clients or of all."""
    known = names(broker)
    require_clients(known, clients)
    done = run_invoices(
        pool,
        cut_off=cut_off,
        issue_date=issue_date,
        end_offsets=charge_ends(broker),
        at=datetime.now(UTC),
        names=known,
        holds=read_holds(broker, issue_date),
        clients=clients,
    )
    desk_of(pool).apply_waiting()  # reports about these invoices that arrived before them
    return done


@invoice.command("render")
@click.argument("invoice_ids", nargs=-1, required=True, metavar="INVOICE...")
@click.option("--out", "out_dir", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--pdf", is_flag=True, help="Beside each file a PDF for people (Factur-X).")
def render_(invoice_ids: tuple[str, ...], out_dir: Path, pdf: bool) -> None:
    """Write documents again, with the content they had when they were issued; voided ones too."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        try:
            written = render_documents(pool, invoice_ids, out_dir, names(stack.broker), pdf)
        except KeyError as error:
            raise click.ClickException(f"no document {error.args[0]}; see `hourstream invoice list`") from error
    for path in written.files:
        console.print(str(path), markup=False)
    if problems := [*written.refused, *written.failed, *written.broken_rules]:
        raise click.ClickException("; ".join(problems))


@invoice.command("list")
@click.option("--limit", type=click.IntRange(1), help="The last so many.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(limit: int | None, as_json: bool) -> None:
    """Every invoice and credit note."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        found = invoices(pool)
    found = found[-limit:] if limit else found
    if as_json:
        print_json([{name: getattr(i, name) for name in i.__dataclass_fields__} for i in found])
        return
    amounts = ("payable", "paid", "net", "tax")
    table = Table(*amounts, "currency", "invoice", "kind", "standing", "client", "engagement", "issued", "charges")
    for column in table.columns[: len(amounts)]:
        column.justify = "right"
    for i in found:
        table.add_row(
            *(f"{rounded_money(getattr(i, name), i.currency):,f}" for name in amounts), i.currency, i.invoice_id,
            i.kind, i.standing, i.client_id, i.engagement_id, str(i.issue_date), str(i.charges),
        )  # fmt: skip
    console.print(table)


@invoice.command()
@click.argument("invoice_id")
@click.option("--reason", required=True, help="Why; kept with the invoice.")
def void(invoice_id: str, reason: str) -> None:
    """Void an invoice; its charges go to the next run."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        freed = void_invoice(pool, invoice_id, at=datetime.now(UTC), reason=reason)
        desk_of(pool).apply_waiting()
    console.print(f"{invoice_id} is voided, {freed} charges are free again")


for command in (draft, approve, issue_, status, pay, link):
    invoice.add_command(command)
