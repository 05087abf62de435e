"""`hourstream invoice`: invoice runs (DOMAIN §4), their documents, and voiding; what is paid is in `invoice_events`."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import click
from rich.table import Table

from cli.context import attached, console, errors, print_json
from cli.invoice_events import desk_of, link, pay, status
from invoicing.document import load_invoice
from invoicing.file_names import file_stem
from invoicing.formats.en16931 import IncompleteDocument
from invoicing.formats.ubl import render
from invoicing.holds import read_holds
from invoicing.parties import Names
from invoicing.party_lookup import names
from invoicing.run import InvoiceRun, run_invoices
from invoicing.void import void_invoice
from settings import Settings
from storage.isolated_write import passes_on
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.topic_reader import topic_ends
from topics.catalogue import CHARGES_TOPIC
from warehouse.reports import invoices

DATE = click.DateTime(["%Y-%m-%d"])


@click.group()
def invoice() -> None:
    """Invoices and credit notes."""


@invoice.command("run")
@click.option("--cut-off", type=DATE, required=True, help="Last day of work to invoice.")
@click.option("--issue-date", type=DATE, required=True, help="The date on the documents.")
@click.option("--out", "out_dir", type=click.Path(file_okay=False, path_type=Path), help="Where UBL 2.1 files go.")
@click.option(
    "--pdf", is_flag=True, help="Beside each file a PDF for people, with the invoice as data inside (Factur-X)."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def run_(cut_off: datetime, issue_date: datetime, out_dir: Path | None, pdf: bool, as_json: bool) -> None:
    """Invoice what is charged and not yet invoiced. Needs the billing worker to have read every charge.

    Every file is held to the official rules of EN 16931. Exit status 1 when a file breaks them, when an account could
    not be invoiced, or when a file could not be written; everything else is invoiced all the same.
    """
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        done = issue(pool, stack.broker, cut_off.date(), issue_date.date())
        written = write_documents(pool, done, out_dir, names(stack.broker), pdf) if out_dir else Documents()
    not_invoiced = [
        f"not invoiced: client {each.client_id}, engagement {each.engagement_id}, {each.currency}: {each.reason}"
        for each in done.refused
    ]
    if as_json:
        print_json(
            {
                "issued": [i.invoice_id for i in done.issued],
                "files": [str(path) for path in written.files],
                "refused": [*not_invoiced, *written.refused, *written.failed],
                "broken_rules": written.broken_rules,
            }
        )
    else:
        console.print(f"{len(done.issued)} documents, {done.netted_charges} charges consumed without one")
        for each in done.issued:
            console.print(f"  {each.invoice_id}  {each.kind}  {each.client_id}  {each.payable} {each.currency}")
        for problem in (*not_invoiced, *written.refused, *written.failed, *written.broken_rules):
            errors.print(problem, markup=False)
    if not_invoiced:
        raise click.ClickException(f"{len(not_invoiced)} accounts could not be invoiced; the others are")
    if written.failed:
        raise click.ClickException(f"{len(written.failed)} files could not be written; their invoices stand")
    if written.broken_rules:
        raise click.ClickException("a document breaks the official rules")


def issue(pool: Pool, broker: str, cut_off: date, issue_date: date) -> InvoiceRun:
    """One invoice run over everything that `billing.ready` holds now."""
    ends = {number: end for (_, number), end in topic_ends(broker, [CHARGES_TOPIC]).items()}
    done = run_invoices(
        pool,
        cut_off=cut_off,
        issue_date=issue_date,
        end_offsets=ends,
        at=datetime.now(UTC),
        names=names(broker),
        holds=read_holds(broker, issue_date),
    )
    desk_of(pool).apply_waiting()  # what was said of these invoices before they were there
    return done


@dataclass(slots=True)
class Documents:
    """The files of a run; which invoices have none yet and why; which official rules a file breaks.

    Refused: a master is missing, and its file can be written later. Failed: for a reason that nobody foresaw.
    """

    files: list[Path] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    broken_rules: list[str] = field(default_factory=list)


def write_documents(pool: Pool, done: InvoiceRun, out_dir: Path, known: Names, pdf: bool = False) -> Documents:
    """Each document of a run as a UBL 2.1 file, held to the official rules, and with `pdf` for people too."""
    from invoicing.formats.factur_x import render_pdf
    from invoicing.formats.schematron import (
        validate,  # with the next, a second to load that other commands need not pay
    )

    out_dir.mkdir(parents=True, exist_ok=True)
    documents = Documents()
    for each in done.issued:
        path = out_dir / f"{file_stem(each.invoice_id)}.xml"
        try:
            document = load_invoice(pool, each.invoice_id, known)
            path.write_bytes(render(document))
            documents.files.append(path)
            if pdf:
                path.with_suffix(".pdf").write_bytes(render_pdf(document))
                documents.files.append(path.with_suffix(".pdf"))
        except IncompleteDocument as error:  # the invoice stands; its file can be written when the master is there
            documents.refused.append(f"{each.invoice_id}: no file: {error}")
            continue
        except Exception as error:
            if passes_on(error):
                raise
            documents.failed.append(f"{each.invoice_id}: no file: {type(error).__name__}: {error}")
            continue
        broken = validate(path.read_bytes())
        documents.broken_rules += [f"{path.name}: {f.rule} at {f.location}: {f.text}" for f in broken]
    return documents


@invoice.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(as_json: bool) -> None:
    """Every invoice and credit note."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        found = invoices(pool)
    if as_json:
        print_json([{name: getattr(i, name) for name in i.__dataclass_fields__} for i in found])
        return
    table = Table(
        "invoice", "kind", "standing", "client", "engagement", "issued", "net", "tax", "payable", "paid", "charges"
    )
    for i in found:
        table.add_row(
            i.invoice_id, i.kind, i.standing, i.client_id, i.engagement_id, str(i.issue_date), f"{i.net:,}",
            f"{i.tax:,}", f"{i.payable:,} {i.currency}", f"{i.paid:,}", str(i.charges),
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


for command in (status, pay, link):
    invoice.add_command(command)
