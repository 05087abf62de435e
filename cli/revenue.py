"""`hourstream revenue`: posts earned revenue apart from charged revenue, at the close of a month (DESIGN §10)."""

import getpass
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal

import click
from rich.table import Table

from accounting.revenue_close import Closed, close
from accounting.revenue_totals import RevenueTotals, plan, revenue_totals
from cli.context import attached, console, print_json
from cli.plain_console import verdict
from common.decimals import plain
from invoicing.party_lookup import names
from rating.model.facts import BillingPeriod, Fact, fact
from rating.model.revision_order import resolve_revision
from settings import Settings
from sinks.journal import JOURNAL
from storage.migrations import migrate
from storage.postgres import open_pool
from streaming.topic_reader import read_valid
from topics import topic_names

PERIODS = topic_names.BILLING_PERIODS


@click.group()
def revenue() -> None:
    """Earned revenue: close a month, show balances, plan a fixed fee."""


@revenue.command("close")
@click.option("--period", required=True, help="The month, YYYY-MM.")
@click.option("--system", default=JOURNAL, show_default=True, help="The journal.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def close_(period: str, system: str, as_json: bool) -> None:
    """Post the revenue entries of a month, of the engagements for which `billing.periods` says that it is closed.

    A repeated close posts the changes since, in this month and in the later ones that were closed.
    """
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        done = close(
            pool,
            period,
            engagements=names(stack.broker).engagements,
            closed=closed_periods(stack.broker),
            at=datetime.now(UTC),
            system=system,
        )
        totals = revenue_totals(pool, system, period)
    if as_json:
        print_json({**_done(done), "totals": [_total(one) for one in totals]})
    else:
        console.print(f"{len(done.posted)} entries for {', '.join(done.periods)}", soft_wrap=True)
        if done.still_open:
            console.print(f"not closed, and left as they are: {', '.join(done.still_open)}", soft_wrap=True)
        console.print(_table(totals, period))
    sys.exit(0 if all(one.ties for one in totals) else 1)


def _done(done: Closed) -> dict[str, object]:
    entries = [_texts({**asdict(one), "account": one.account._asdict()}) for one in done.posted]
    return {"periods": done.periods, "entries": entries, "still_open": done.still_open}


def _total(total: RevenueTotals) -> dict[str, object]:
    return _texts(asdict(total) | {"ties": total.ties})


def _texts(values: dict[str, object]) -> dict[str, object]:
    """Decimals as plain text."""
    return {name: plain(value) if isinstance(value, Decimal) else value for name, value in values.items()}


@revenue.command()
@click.option("--period", default="9999-12", help="Up to this month, YYYY-MM; all by default.")
@click.option("--system", default=JOURNAL, show_default=True, help="The journal.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(period: str, system: str, as_json: bool) -> None:
    """Show charged, earned, deferred and unbilled amounts per client and currency. Exit status 1 if they do not tie."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        totals = revenue_totals(pool, system, period)
    if as_json:
        print_json([_total(one) for one in totals])
    else:
        console.print(_table(totals, period))
    sys.exit(0 if all(one.ties for one in totals) else 1)


@revenue.command("plan")
@click.argument("engagement")
@click.argument("minutes", type=click.IntRange(0))
@click.option("--reason", required=True, help="Why; kept for good.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who decides.")
def plan_(engagement: str, minutes: int, reason: str, by: str) -> None:
    """Earn a fixed fee by the share of MINUTES worked, and no longer by milestone. 0: by milestone again."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        plan(pool, engagement, minutes or None, reason=reason, by=by, at=datetime.now(UTC))
    by_what = f"by the share of {minutes:,} minutes" if minutes else "by milestone"
    console.print(f"the fixed fee of {engagement} is earned {by_what} from the next close on")


def closed_periods(broker: str) -> set[tuple[str, str]]:
    """(engagement, month) of the months that are closed by their winning revision."""
    found: dict[tuple[str, str], Fact] = {}
    for _, value in read_valid(broker, [PERIODS]):
        arrived = fact(PERIODS, value)
        where = arrived.engagement_id, str(value["period"])
        if resolve_revision(found.get(where), arrived) == "replaced":
            found[where] = arrived
    return {where for where, each in found.items() if isinstance(each, BillingPeriod) and each.status == "closed"}


def _table(totals: list[RevenueTotals], period: str) -> Table:
    up_to = "" if period == "9999-12" else f" up to {period}"
    table = Table(
        "client", "", "charged", "earned", "deferred", "unbilled", "ties", title=f"Revenue{up_to}", title_justify="left"
    )
    for one in totals:
        amounts = (f"{amount:,.2f}" for amount in (one.charged, one.revenue, one.deferred, one.unbilled))
        table.add_row(one.client_id, one.currency, *amounts, verdict(one.ties, "yes", "NO"))
    return table
