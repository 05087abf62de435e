"""`hourstream periods`: the accounting periods of each legal entity. A closed one never changes (DESIGN §10)."""

import getpass
from dataclasses import asdict

import click
from rich.table import Table

from accounting.accounting_periods import Status, listed
from cli.context import attached, console, print_json
from operations.accounting_periods import act_when_posted
from settings import Settings
from storage.migrations import migrate
from storage.postgres import open_pool


@click.group()
def periods() -> None:
    """Accounting periods: list, close, open. A correction of a closed one goes to the first open one."""


@periods.command("list")
@click.option("--legal-entity", help="Only this one.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(legal_entity: str | None, as_json: bool) -> None:
    """The months that have postings, or were closed or opened, and who did that and why."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        found = listed(pool, legal_entity)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    table = Table("legal entity", "period", "status", "postings", "since", "by", "reason")
    for each in found:
        since = "" if each.acted_at is None else f"{each.acted_at:%Y-%m-%d %H:%M}"
        said = (each.status, f"{each.postings:,}", since, each.acted_by or "", each.reason or "")
        table.add_row(each.legal_entity, each.period, *said)
    console.print(table)


_REASON = click.option("--reason", required=True, help="Why; kept for good.")
_BY = click.option("--by", default=getpass.getuser, show_default="you", help="Who decides.")
_SECONDS = click.option("--seconds", default=60.0, show_default=True, help="How long journals may take.")


@periods.command("close")
@click.argument("legal_entity")
@click.argument("period")
@_REASON
@_BY
@_SECONDS
def close_(legal_entity: str, period: str, reason: str, by: str, seconds: float) -> None:
    """Close a month (YYYY-MM) of a legal entity, and every earlier one."""
    _act("closed", legal_entity, period, reason, by, seconds)


@periods.command("open")
@click.argument("legal_entity")
@click.argument("period")
@_REASON
@_BY
@_SECONDS
def open_(legal_entity: str, period: str, reason: str, by: str, seconds: float) -> None:
    """Open a month (YYYY-MM) again, this one alone."""
    _act("open", legal_entity, period, reason, by, seconds)


def _act(status: Status, legal_entity: str, period: str, reason: str, by: str, seconds: float) -> None:
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        act_when_posted(pool, stack.broker, status, legal_entity, period, reason=reason, by=by, seconds=seconds)
    earlier = " and every earlier month" if status == "closed" else ""
    verb = "are" if earlier else "is"
    console.print(f"{period}{earlier} of {legal_entity} {verb} {status}")
