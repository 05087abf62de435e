"""`hourstream demo`: ten months of a real time tracker through the whole stream.

First act: 18F's Tock with the rates of fiscal year 2015. Second act: publishes a rate card for the grades without a
rate; the waiting work is then charged. The input side of the table is counted from the JSON file alone.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import click
from rich.table import Table

from accounting.journal_balance import journal_balance
from assurance.ledger_reader import Books
from assurance.posted_charges import totals_by_reason
from assurance.statements import statements
from cli import audit
from cli.context import console, errors
from cli.invoice import issue
from cli.invoice_documents import Documents, write_documents
from cli.plain_console import styled, verdict
from cli.progress import progress_bars, save_picture
from cli.trace import show_trace
from cli.worker import FOR_THE_CONSOLE, own_workers, workers_of
from devstack.home import empty_home
from devstack.stack import Stack
from devstack.supervisor import Workers
from examples.demo_erp import holds, post_to_tryton
from invoicing.party_lookup import names
from invoicing.run import InvoiceRun
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import unsent, wait_until_quiet
from privacy.decrypt import reading
from privacy.encrypt import sealing
from privacy.open_vault import publishing_vault, vault_of
from settings import Settings
from sinks.journal import JOURNAL
from sinks.routing_file import load_routes
from sources.tock.counting import LinesCounted, count_lines
from sources.tock.records import DATA, MASTERS, SECOND_ACT, read, topic_of
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.admin import admin_client
from topics.create import create_topics

CUT_OFF = date(2015, 7, 31)
ISSUED = date(2015, 8, 3)


@dataclass(frozen=True, slots=True)
class DemoFigures:
    """The output of the stream: settle's own totals and the sinks' database."""

    entries: int
    minutes: dict[str, int]  # by state
    charged: Decimal
    balance: Decimal
    residue: int

    @classmethod
    def ask(cls, workers: Workers, pool: Pool) -> "DemoFigures":
        """The figures of this moment."""
        status = workers.status("settle")
        if status is None:
            raise RuntimeError("the settle worker does not answer; see its log")
        totals = {tuple(labels): n for *labels, n in status["totals"]}
        minutes = {"non-billable": 0, "charged": 0}
        charges, amount = 0, Decimal(0)
        for of_reason in totals_by_reason(pool):
            kind = "charged" if of_reason.reason is None else "non-billable"
            minutes[kind] += of_reason.worked_minutes
            charges += of_reason.charges
            amount += of_reason.amount
        parked = {labels[1]: n for labels, n in totals.items() if labels[0] == "parked_minutes_by_code"}
        minutes |= {f"parked {code}": n for code, n in sorted(parked.items()) if n}
        entries = charges + sum(n for labels, n in totals.items() if labels[0] == "parked")
        balance = sum((row.balance for row in journal_balance(pool, JOURNAL)), Decimal(0))
        approved = totals.get(("approved_minutes",), 0)
        return cls(entries, minutes, amount, balance, approved - sum(minutes.values()))


@click.command()
@click.option("--keep", is_flag=True, help="Go on with the data of the last demo instead of starting afresh.")
@click.option("--deliver", is_flag=True, help="Deliver the charges to the systems of HOURSTREAM_TARGETS too.")
@click.option("--erp", type=click.Choice(["tryton"]), help="A real ERP makes the invoices, posts them and is paid.")
@click.option("--console", "with_console", is_flag=True, help="Serve the console at the end, without login, here only.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Save the table as an SVG file too.")
@click.option("--firm", "of_firm", is_flag=True, help="Bill the sample firm of `hourstream init` instead, to PDFs.")
def demo(of_firm: bool, keep: bool, deliver: bool, erp: str | None, with_console: bool, picture: Path | None) -> None:
    """Turn Tock's hours into posted charges and invoices. The data is kept in HOME/demo for inspection."""
    began, settings = time.monotonic(), Settings.load()
    home = settings.home / "demo"
    if of_firm:
        from examples.demo_firm import bill_sample_firm

        bill_sample_firm(settings.model_copy(update={"home": home}))
        return
    if not keep:
        empty_home(home)
    settings = settings.model_copy(update={"home": home})
    with Stack.start(settings, progress=_tell) as stack, stack.kept("demo") as record:
        _tell(f"Kafka and PostgreSQL are up after {time.monotonic() - began:.0f} s")
        admin = admin_client(stack.broker)
        create_topics(admin, every_topic(settings.partitions), settings.replication)
        with open_pool(stack.postgres_url) as pool:
            migrate(pool)
            names = workers_of(settings) if deliver else own_workers(settings)
            if with_console:
                names += FOR_THE_CONSOLE
            with Workers(settings, names, stack.settings.environment(), record=record) as workers:
                good = _play(Play(stack, workers, pool, home, picture, erp is not None))
                if with_console:
                    _serve(stack.settings, pool)
    console.print(styled(f"the whole demo took {time.monotonic() - began:.0f} s; look further with", "dim"))
    look = f"  HOURSTREAM_HOME={home} hourstream up, beside it: exceptions list | trace SUBJECT | invoice list | audit"
    console.print(styled(look, "dim"))
    if not good:
        raise click.ClickException("a statement is false, a document breaks the official rules, or the ERP differs")


def _serve(settings: Settings, pool: Pool) -> None:
    from cli.console import ANYBODY, serving, stand_by  # with its libraries only where it is wanted

    with serving(settings, pool, everybody=ANYBODY) as address:
        console.print(f"the console of the demo: {address}; Ctrl-C stops it")
        stand_by()


@dataclass(frozen=True, slots=True)
class Play:
    """The shared objects of both acts."""

    stack: Stack
    workers: Workers
    pool: Pool
    home: Path
    picture: Path | None
    erp: bool  # the ERP makes the invoices, not we

    @contextmanager
    def publishing(self, what: str) -> Iterator[Publisher]:
        """Publish, then wait until the stream is quiet again."""
        began = time.monotonic()
        publisher = Publisher(self.stack.broker, sealing(publishing_vault(self.stack.settings, self.pool)))
        yield publisher
        publisher.finish()
        with progress_bars(self.workers) as show:
            wait_until_quiet(self.workers, self.stack.broker, lambda: unsent(self.pool), progress=show)
        _tell(f"{publisher.published:,} {what} published and settled in {time.monotonic() - began:.1f} s")


def _play(play: Play) -> bool:
    counted = count_lines(DATA)
    lines = topic_of("lines")
    records = list(read())
    with play.publishing("masters of Tock") as publisher:
        publisher.publish_file(MASTERS)
        for topic, key, value in records:
            if topic != lines:
                publisher.publish(topic, key, value)
    with play.publishing("lines of Tock") as publisher:
        for topic, key, value in records:
            if topic == lines:
                publisher.publish(topic, key, value)
    before = DemoFigures.ask(play.workers, play.pool)
    runs = [] if play.erp else [_invoice(play)]
    with play.publishing("rate card for the other grades") as publisher:
        publisher.publish_file(SECOND_ACT)
    after = DemoFigures.ask(play.workers, play.pool)
    runs += [] if play.erp else [_invoice(play)]
    with progress_bars(play.workers) as show:
        wait_until_quiet(play.workers, play.stack.broker, lambda: unsent(play.pool), progress=show)
    in_erp = post_to_tryton(play.stack, play.workers, play.pool, play.home, ISSUED, _tell) if play.erp else None
    with console.status("the audit reads every topic again"):
        books = Books.read(play.stack.broker)
        found = statements(books, play.pool, load_routes(play.stack.settings.routes))
    _show_trace(play, books)
    table = _compare(counted, before, after, runs)
    console.print(table)
    if in_erp is not None:
        console.print(in_erp[1])
    audit.print_statements(found)
    if play.picture is not None:
        save_picture(play.picture, "hourstream demo", table, audit.table_of(found))
    broken = any(each.documents.broken_rules for each in runs)
    same = in_erp is None or holds(in_erp[0], play.pool)
    return not broken and same and all(statement.holds for statement in found)


@dataclass(frozen=True, slots=True)
class Invoiced:
    """An invoice run and its documents."""

    run: InvoiceRun
    documents: Documents

    @property
    def payable(self) -> Decimal:
        """The total of the documents, credit notes deducted."""
        return sum((issued.payable for issued in self.run.issued), Decimal(0))


def _invoice(play: Play) -> Invoiced:
    run = issue(play.pool, play.stack.broker, CUT_OFF, ISSUED)
    return Invoiced(run, write_documents(play.pool, run, play.home / "invoices", names(play.stack.broker)))


def _compare(counted: LinesCounted, before: DemoFigures, after: DemoFigures, runs: Sequence[Invoiced]) -> Table:
    table = Table(title="18F's Tock, October 2014 to July 2015", title_justify="left")
    for heading in ("", "first act", "second act", "difference"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row(styled("in", "bold") + " (counted from the JSON file)", "", "", "")
    table.add_row("  Tock lines", f"{counted.lines:,}", "", "")
    table.add_row("  hours", f"{counted.hours:,}", "", "")
    table.add_row("  whole minutes, half up a line", f"{counted.minutes:,}", "", "")
    rounding = f"{counted.rounded} lines, {abs(counted.rounding_minutes.normalize())} min"
    table.add_row("  lines that are no whole minutes", rounding, "", "")
    table.add_row(styled("out", "bold") + " (asked of the stream)", "", "", "")
    table.add_row("  time entries", *_compared(before.entries, after.entries))
    for kind in sorted({*before.minutes, *after.minutes}):
        old, new = before.minutes.get(kind, 0), after.minutes.get(kind, 0)
        table.add_row(f"  minutes {kind}", *_compared(old, new))
    table.add_row("  minutes not accounted for", *_compared(before.residue, after.residue))
    table.add_row("  charged, USD", *_compared(before.charged.quantize(Decimal("0.01")), after.charged))
    table.add_row("  journal balance", f"{before.balance:.2f}", f"{after.balance:.2f}", "")
    if runs:
        table.add_row("  invoices of the run", *(f"{len(each.run.issued):,}" for each in runs), "")
        table.add_row("  invoiced by the run, USD", *(f"{each.payable:,.2f}" for each in runs), "")
        broken = (f"{len(each.documents.broken_rules):,}" for each in runs)
        table.add_row("  official rules broken (EN 16931)", *broken, "")
    for refusal in (refusal for each in runs for refusal in each.documents.refused):
        table.add_row(styled(f"  {refusal}", "red"), "", "", "")
    same = counted.minutes == sum(before.minutes.values()) == sum(after.minutes.values())
    table.add_row("  in = out, to the minute", *([verdict(same, "yes", "NO")] * 2), "")
    return table


def _compared(old: Decimal | int, new: Decimal | int) -> tuple[str, str, str]:
    form = ",.2f" if isinstance(old, Decimal) else ","
    return format(old, form), format(new, form), f"{new - old:+{form}}" if new != old else ""


def _show_trace(play: Play, books: Books) -> None:
    """The way of one entry that waited for its rate, from Tock's line to the invoice."""
    waited = (where for where, last in sorted(books.exceptions.items()) if last["code"] == "NO_RATE")
    healed = next((where for where in waited if where in books.charges), None)
    if healed is not None:
        show_trace(
            play.stack.broker,
            play.pool,
            *healed,
            reading(vault_of(play.stack.settings, play.pool)),
            play.stack.settings,
        )


def _tell(line: str) -> None:
    errors.print(styled(line, "dim"))
