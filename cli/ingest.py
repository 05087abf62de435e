"""`hourstream ingest FILE`: publishes the rows of an exported file on its source's topics, where intake maps them."""

import re
from pathlib import Path

import click

from cli.context import attached, console
from cli.sources import ORDERS, print_taken, taken_of
from operations.all_topics import every_topic
from operations.file_ingest import FilePublisher
from operations.reexport import Corrections
from privacy.open_vault import open_to_publish
from settings import Settings
from sources.files.conventions import Order
from streaming.admin import admin_client
from topics.create import create_topics
from topics.dead_letter_record import DEAD_LETTERS


def _month(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", value):
        raise click.BadParameter("write a month as YYYY-MM")
    return value


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="Which source it is of: `hourstream sources list`.")
@click.option("--dates", type=ORDERS, help="Which of day and month is first, where the file does not decide.")
@click.option("--accept-bad-rows", is_flag=True, help="Exit 0 though rows are bad; they are dead letters all the same.")
@click.option(
    "--closes", metavar="YYYY-MM", callback=_month, help="FILE is complete for this month: what is gone is withdrawn."
)
@click.option("--all-or-nothing", is_flag=True, help="Publish nothing where a row is bad.")
@click.option("--again", is_flag=True, help="Publish a file whose contents were taken before.")
def ingest(
    file: Path,
    source: str,
    dates: Order | None,
    accept_bad_rows: bool,
    closes: str | None,
    all_or_nothing: bool,
    again: bool,
) -> None:
    """Publish FILE to its source's topics, in one transaction. A bad row becomes a dead letter with its own bytes.

    Exit status 1 if a row is bad; the good ones are published.
    """
    taken = taken_of(file, source, dates)
    print_taken(taken, 10)
    if taken.bad and all_or_nothing:
        raise click.ClickException(f"{len(taken.bad):,} rows are bad, so nothing was published")
    settings = Settings.load()
    with attached(settings) as stack, open_to_publish(settings, stack.postgres_url) as vault:
        create_topics(admin_client(stack.broker), every_topic(settings.partitions), settings.replication)
        publisher = FilePublisher(stack.broker, taken.system, "ingest", vault)
        before = publisher.taken(taken.sha256)
        if before is not None and not again and not closes:
            console.print(
                f"a file of the same contents, {before['name']}, was taken at {before['taken_at']}; "
                "nothing was published (--again publishes it once more)",
                soft_wrap=True,
            )
            return
        if closes and taken.bad:
            raise click.ClickException(
                f"{len(taken.bad):,} rows are bad, so the file closes nothing: correct them first"
            )
        corrections = publisher.publish(taken, "ingest", closes)
    tell_published(taken.name, len(taken.records), len(taken.bad), taken.system, settings)
    tell_corrections(corrections)
    if taken.bad and not accept_bad_rows:
        raise SystemExit(1)


def tell_corrections(found: Corrections) -> None:
    """Print what a file means for records of before."""
    if found.same:
        console.print(f"{found.same:,} stand already, as other rows; they are not published again")
    if found.withdrawn:
        console.print(f"{found.withdrawn:,} of before are withdrawn")
    if found.held:
        console.print(f"{found.held:,} wait as possible duplicates or corrections: `hourstream exceptions list --each`")
    if found.asked:
        console.print(
            f"{found.asked:,} of before are not in the file and stay until you decide: `exceptions list --each`"
        )


def tell_published(name: str, records: int, bad: int, system: str, settings: Settings) -> None:
    """Print the result of a file, and whether an intake runs to map it."""
    dead = f", {bad:,} rows to {DEAD_LETTERS}" if bad else ""
    console.print(f"{name}: {records:,} records published{dead}", soft_wrap=True)
    if system not in settings.source_names:
        console.print(
            f"no intake of {system} is run: add it to HOURSTREAM_SOURCES (now {settings.sources})", soft_wrap=True
        )
