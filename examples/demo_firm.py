"""`hourstream demo --firm`: bills the sample firm of `hourstream init`, from its workbook to PDF invoices."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import click
from rich.table import Table

from cli.check import show_previews
from cli.context import console, errors
from cli.invoice import issue
from cli.invoice_documents import Documents, write_documents
from cli.plain_console import styled
from cli.progress import progress_bars
from devstack.home import empty_home
from devstack.stack import Stack
from devstack.supervisor import Workers
from invoicing.party_lookup import names
from invoicing.run import InvoiceRun
from operations.all_topics import every_topic
from operations.firm.session import By, Compared, FirmSession
from operations.quiescence import unsent, wait_until_quiet
from privacy.open_vault import publishing_vault
from settings import Settings
from sources.workbook.records import read_firm
from sources.workbook.sample_firm import sample_firm
from sources.workbook.write import FILE, write_workbook
from storage.migrations import migrate
from storage.postgres import open_pool
from streaming.admin import admin_client
from topics.create import create_topics

CUT_OFF, ISSUED = date(2026, 1, 31), date(2026, 2, 2)
_WORKERS = ("masters", "settle", "erp", "billing", "lifecycle")  # what charges and invoices need


def bill_sample_firm(settings: Settings) -> None:
    """Write the sample's workbook into the home of `settings`, publish it, and invoice it. Raises ClickException."""
    began, home = time.monotonic(), settings.home
    empty_home(home)
    book = home / "firm" / FILE
    write_workbook(book, sample_firm())
    _tell(f"the sample firm is in {book}")
    with Stack.start(settings, progress=_tell) as stack, stack.kept("demo") as record:
        create_topics(admin_client(stack.broker), every_topic(settings.partitions), settings.replication)
        with open_pool(stack.postgres_url) as pool:
            migrate(pool)
            with Workers(stack.settings, _WORKERS, stack.settings.environment(), record=record) as workers:
                session = FirmSession(stack.broker, pool, publishing_vault(stack.settings, pool))
                compared = session.compare(book, {each.topic for each in read_firm(book).records})
                session.publish(compared.changes, By("demo", datetime.now(UTC), "the sample firm", FILE))
                _tell(f"{compared.changes.summary} published after {time.monotonic() - began:.0f} s")
                with progress_bars(workers) as bars:
                    wait_until_quiet(workers, stack.broker, lambda: unsent(pool), progress=bars)
                run = issue(pool, stack.broker, CUT_OFF, ISSUED)
                written = write_documents(pool, run, home / "invoices", names(stack.broker), pdf=True)
    _show(compared, run, written)
    console.print(styled(f"from the workbook to the PDFs took {time.monotonic() - began:.0f} s", "dim"))
    _say_next(home)
    if problems := _problems(compared, run, written):
        raise click.ClickException("; ".join(problems))


def _show(compared: Compared, run: InvoiceRun, written: Documents) -> None:
    show_previews(compared.checked.previews, 0)
    table = Table("payable", "currency", "tax", "invoice", "client", "PDF")
    table.columns[0].justify = table.columns[2].justify = "right"
    pdfs = {path.stem: path for path in written.files if path.suffix == ".pdf"}
    for each in run.issued:
        path = next((path for stem, path in pdfs.items() if stem.endswith(each.invoice_id)), None)
        table.add_row(
            f"{each.payable:,.2f}", each.currency, f"{each.tax:,.2f}", each.invoice_id, each.client_id, str(path or "")
        )
    console.print(table)


def _problems(compared: Compared, run: InvoiceRun, written: Documents) -> Sequence[str]:
    """What went other than the check of the workbook said."""
    promised: dict[str, Decimal] = {}
    for each in compared.checked.previews:
        for currency, amount in each.amounts.items():
            promised[currency] = promised.get(currency, Decimal(0)) + amount
    invoiced: dict[str, Decimal] = {}
    for issued in run.issued:
        invoiced[issued.currency] = invoiced.get(issued.currency, Decimal(0)) + issued.payable - issued.tax
    found = [*written.refused, *written.failed, *written.broken_rules]
    if promised != invoiced:
        found.append(f"the check promised {promised}, the invoices come to {invoiced}")
    return found


def _say_next(home: Path) -> None:
    console.print("your own firm:", soft_wrap=True)
    console.print("  hourstream init firm            # overwrite firm/firm.xlsx with your own data", soft_wrap=True)
    console.print("  hourstream check firm           # then `hourstream up`, and beside it", soft_wrap=True)
    console.print("  hourstream publish firm", soft_wrap=True)
    console.print(styled(f"the demo's data: HOURSTREAM_HOME={home} hourstream up", "dim"), soft_wrap=True)


def _tell(line: str) -> None:
    errors.print(styled(line, "dim"))
