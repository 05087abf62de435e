"""`hourstream reconcile`: checks completeness, and the tie of hours, charges, invoices and journal (DOMAIN §5)."""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from decimal import Decimal

import click
from rich.table import Table
from rich.text import Text

from assurance.completeness import Completeness
from assurance.reconcile import ReconciliationReport, reconciled
from assurance.reconciliation import AccountKey, Tie
from cli.context import attached, console, errors, print_json
from cli.plain_console import styled
from common.decimals import plain
from settings import Settings
from sinks.journal import JOURNAL
from sinks.routing_file import load_routes
from storage.migrations import migrate
from storage.postgres import open_pool

_STYLES = {"complete": "green", "gaps": "yellow", "unproven": "none"}


@click.command()
@click.option("--client", help="Only this client.")
@click.option("--period", help="Only this month, YYYY-MM.")
@click.option("--each", is_flag=True, help="A line a client, month and currency, not one a currency.")
@click.option("--json", "as_json_", is_flag=True, help="For scripts.")
def reconcile(client: str | None, period: str | None, each: bool, as_json_: bool) -> None:
    """Hold what arrived to what sources say they sent, and hours to charges, invoices and journal.

    Every difference is explained by the state things are in; exit status 1 when a residue is left.
    """
    with (
        attached(Settings.load()) as stack,
        open_pool(stack.postgres_url) as pool,
        errors.status("reading every topic again"),
    ):
        migrate(pool)
        found = reconciled(stack.broker, pool, load_routes(stack.settings.routes))
    ties = [t for t in found.ties if client in (None, t.account.client_id) and period in (None, t.account.period)]
    sources = [one for one in found.sources if period in (None, one.part[2])]
    if as_json_:
        print_json(as_json(ReconciliationReport(sources, ties)))
    else:
        print_report(ReconciliationReport(sources, ties), each)
    sys.exit(0 if all(tie.ties for tie in ties) else 1)


def as_json(found: ReconciliationReport) -> dict[str, object]:
    """For scripts: decimals are strings."""
    return {
        "ties": found.holds,
        "sources": [asdict(one) for one in found.sources],
        "accounts": [
            {
                **tie.account._asdict(),
                "approved_minutes": tie.approved,
                "minutes": dict(sorted(tie.minutes.items())),
                "charges": plain(tie.charges),
                "journal": {system: _plain(by_why) for system, by_why in sorted(tie.journal.items())},
                "invoices": plain(tie.invoices),
                "not_invoiced": _plain(tie.invoicing),
                "residue": {
                    "minutes": tie.hours_residue,
                    "journal": _plain(tie.journal_residue),
                    "invoices": plain(tie.invoice_residue),
                },
                "off": tie.off,
            }
            for tie in found.ties
        ],
    }


def _plain(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {name: plain(amount) for name, amount in sorted(amounts.items())}


def print_report(found: ReconciliationReport, each: bool) -> None:
    """Both halves as tables; residues are named."""
    if found.sources:
        console.print(_sources_table(found.sources))
    console.print(_ties_table(found.ties, each))
    for tie in found.ties:
        for name in tie.off[:20]:
            console.print(styled(f"{name} does not tie", "red") + f" ({' '.join(tie.account)})", soft_wrap=True)


def _sources_table(sources: Iterable[Completeness]) -> Table:
    table = Table(
        "source", "records", "month", "verdict", "arrived", "missing", "min missing", "waiting",
        title="Sent and arrived", title_justify="left",
    )  # fmt: skip
    for one in sources:
        waiting = f"{one.waiting.records:,}, {one.waiting.exceptions:,} as exceptions" if one.waiting.records else ""
        waiting += f" {one.waiting.dead:,} dead" if one.waiting.dead else ""
        verdict = styled(one.verdict, _STYLES[one.verdict])
        missing = (f"{one.missing_records:,}", f"{one.missing_minutes:,}") if one.stated else ("", "")
        table.add_row(*one.part, verdict, f"{one.arrived.count:,}", *missing, waiting)
    return table


def _ties_table(ties: list[Tie], each: bool) -> Table:
    first = ("client", "month") if each else ("accounts",)
    table = Table(
        *first, "", "minutes", "charges", "journal", "invoices", "what is elsewhere, by why", "residue",
        title="Hours = charges = invoices = journal", title_justify="left",
    )  # fmt: skip
    for tie in ties if each else _by_currency(ties):
        named = tie.account[:2] if each else (tie.account.client_id,)
        posted = tie.journal.get(JOURNAL, {}).get("posted", Decimal(0))
        why = {f"{name} min": Decimal(n) for name, n in tie.minutes.items() if name != "billed"}
        why |= {
            f"{system} {name}": n for system, by in tie.journal.items() for name, n in by.items() if name != "posted"
        }
        why |= dict(tie.invoicing)
        elsewhere = ", ".join(f"{name} {n:,f}" for name, n in sorted(why.items()) if n)
        table.add_row(
            *named, tie.account.currency, f"{tie.approved:,}", f"{tie.charges:,.2f}", f"{posted:,.2f}",
            f"{tie.invoices:,.2f}", elsewhere, _residue(tie),
        )  # fmt: skip
    return table


def _residue(tie: Tie) -> Text:
    if tie.ties:
        return styled("0", "green")
    left = {f"journal {system}": amount for system, amount in tie.journal_residue.items() if amount}
    parts = [f"{tie.hours_residue:,} min"] if tie.hours_residue else []
    parts += [f"{name} {amount:,f}" for name, amount in sorted(left.items())]
    parts += [f"invoices {tie.invoice_residue:,f}"] if tie.invoice_residue else []
    return styled(", ".join(parts) or "cancels out", "red")


def _by_currency(ties: Iterable[Tie]) -> list[Tie]:
    """Totals by currency; the account's client names how many accounts they are."""
    found: dict[str, Tie] = {}
    counts: dict[str, int] = {}
    for tie in ties:
        currency = tie.account.currency
        total = found.setdefault(currency, Tie(AccountKey("", "", currency)))
        counts[currency] = counts.get(currency, 0) + 1
        total.approved += tie.approved
        total.minutes.update(tie.minutes)
        total.charges += tie.charges
        total.invoices += tie.invoices
        total.hours_residue += tie.hours_residue
        total.invoice_residue += tie.invoice_residue
        total.off += tie.off
        for system, by_why in tie.journal.items():
            for why, amount in by_why.items():
                total.journal[system][why] += amount
        for why, amount in tie.invoicing.items():
            total.invoicing[why] += amount
        for system, amount in tie.journal_residue.items():
            total.journal_residue[system] += amount
    for currency, total in found.items():
        total.account = AccountKey(f"{counts[currency]:,}", "", currency)
    return [found[currency] for currency in sorted(found)]
