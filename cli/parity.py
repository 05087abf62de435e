"""`hourstream parity OLD NEW`: compares the bookings of two journals for the same charges, field by field."""

import sys
from dataclasses import asdict
from decimal import Decimal

import click
from rich.table import Table

from accounting.journal_entries import entries
from accounting.parity import COMPARED, Parity
from accounting.parity import parity as compared
from cli.context import attached, console, print_json
from common.decimals import plain
from settings import Settings
from storage.migrations import migrate
from storage.postgres import open_pool

_SHOWN = 50


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--client", help="Only this client.")
@click.option("--period", help="Only what one of them has posted to this accounting period, YYYY-MM.")
@click.option("--whole", is_flag=True, help="Charges that only one of them has count as differences too.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def parity(old: str, new: str, client: str | None, period: str | None, whole: bool, as_json: bool) -> None:
    """Compare what journals OLD and NEW hold by charge. Exit status 1 when they differ."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        with entries(pool, old, client, period, new) as before, entries(pool, new, client, period, old) as after:
            found = compared(before, after)
    if as_json:
        print_json(asdict(found))
    else:
        print_parity(found, old, new)
    sys.exit(1 if found.differences or (whole and (found.only_old or found.only_new)) else 0)


def print_parity(found: Parity, old: str, new: str) -> None:
    """The counts, and the differences."""
    console.print(
        f"{found.both:,} charges are in both, {found.same:,} of them the same in {', '.join(COMPARED)}; "
        f"{len(found.only_old):,} are in {old} only, {len(found.only_new):,} in {new} only",
        soft_wrap=True,
    )
    if not found.differences:
        return
    table = Table("charge", "field", old, new)
    for each in found.differences[:_SHOWN]:
        table.add_row(each.charge_id, each.field, _text(each.old), _text(each.new))
    console.print(table)
    if len(found.differences) > _SHOWN:
        console.print(f"and {len(found.differences) - _SHOWN:,} more: see --json")


def _text(value: object) -> str:
    return "" if value is None else plain(value) if isinstance(value, Decimal) else str(value)
