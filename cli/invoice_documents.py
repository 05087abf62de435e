"""What the invoice commands share: the files of documents, and the report of a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from cli.context import console, errors, print_json
from invoicing.document import load_invoice
from invoicing.file_names import file_stem
from invoicing.formats.en16931 import IncompleteDocument
from invoicing.formats.ubl import render
from invoicing.parties import Names
from invoicing.run import InvoiceRun
from storage.isolated_write import passes_on
from storage.postgres import Pool
from streaming.topic_reader import topic_ends
from topics.catalogue import CHARGES_TOPIC

DATE = click.DateTime(["%Y-%m-%d"])


def charge_ends(broker: str) -> dict[int, int]:
    """The end of each partition of `billing.ready`."""
    return {number: end for (_, number), end in topic_ends(broker, [CHARGES_TOPIC]).items()}


def require_clients(known: Names, clients: Sequence[str]) -> None:
    """Raises ClickException for unknown clients: a typing error would look like nothing to invoice."""
    if unknown := sorted(set(clients) - known.clients.keys()):
        raise click.ClickException(f"no client {', '.join(unknown)} on master.clients; nothing was invoiced")


@dataclass(slots=True)
class Documents:
    """The files of a run; which invoices have none yet and why; which official rules a file breaks.

    Refused: a master is missing, and its file can be written later. Failed: an unexpected error.
    """

    files: list[Path] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    broken_rules: list[str] = field(default_factory=list)


def write_documents(pool: Pool, done: InvoiceRun, out_dir: Path, known: Names, pdf: bool = False) -> Documents:
    """Each document of a run as a UBL 2.1 file, held to the official rules, and with `pdf` for people too."""
    return render_documents(pool, [each.invoice_id for each in done.issued], out_dir, known, pdf)


def render_documents(
    pool: Pool, invoice_ids: Sequence[str], out_dir: Path, known: Names, pdf: bool = False
) -> Documents:
    """The documents of these ids, from what was stored when they were issued. Raises KeyError for an unknown one."""
    from invoicing.formats.factur_x import render_pdf
    from invoicing.formats.schematron import validate  # both take a second to load, which other commands need not pay

    out_dir.mkdir(parents=True, exist_ok=True)
    documents = Documents()
    for invoice_id in invoice_ids:
        path = out_dir / f"{file_stem(invoice_id)}.xml"
        document = load_invoice(pool, invoice_id, known)
        try:
            path.write_bytes(render(document))
            documents.files.append(path)
            if pdf:
                path.with_suffix(".pdf").write_bytes(render_pdf(document))
                documents.files.append(path.with_suffix(".pdf"))
        except IncompleteDocument as error:  # the invoice stands; its file can be written when the master is there
            documents.refused.append(f"{invoice_id}: no file: {error}")
            continue
        except Exception as error:
            if passes_on(error):
                raise
            documents.failed.append(f"{invoice_id}: no file: {type(error).__name__}: {error}")
            continue
        broken = validate(path.read_bytes())
        documents.broken_rules += [f"{path.name}: {f.rule} at {f.location}: {f.text}" for f in broken]
    return documents


def report_run(done: InvoiceRun, written: Documents, as_json: bool) -> None:
    """Print what a run did. Raises ClickException when an account or a file is missing, or a file breaks the rules."""
    not_invoiced = [
        f"not invoiced: client {each.client_id}, engagement {each.engagement_id}, {each.currency}: {each.reason}"
        for each in (*done.refused, *done.invalid)
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
