"""`hourstream deliveries`: the state of deliveries to systems outside, and replays of refused charges."""

import getpass
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

import click
from rich.table import Table

from cli.context import attached, console, print_json
from settings import Settings
from sinks.delivery.replay import Replayed, Selection, replay
from sinks.delivery.stats import Delivery, DeliveryStats, delivery_stats, listed, replays
from storage.migrations import migrate
from storage.postgres import open_pool

_Command = TypeVar("_Command", bound=Callable[..., object])


@click.group()
def deliveries() -> None:
    """Charges on their way to systems outside: list, show, replay."""


def _selecting(command: _Command) -> _Command:
    """The options that select deliveries."""
    for option in (
        click.option("--target", help="Only this system."),
        click.option("--code", type=click.Choice(["ERP_REFUSED", "ERP_UNREACHABLE"]), help="Only with this exception."),
        click.option("--client", "client_id", help="Only charges of this client."),
        click.option("--engagement", "engagement_id", help="Only charges of this engagement."),
        click.option("--period", help="Only charges of this month, such as 2025-03."),
        click.option("--state", type=click.Choice(["waiting", "posted", "refused", "cancelled"]), help="Only these."),
    )[::-1]:
        command = option(command)
    return command


@deliveries.command("list")
@_selecting
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: one object a delivery, or a system.")
def list_(limit: int, as_json: bool, **selected: str | None) -> None:
    """Show the state of each system; with any option, the deliveries it selects."""
    each = any(value is not None for value in selected.values())
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        systems = [] if each else delivery_stats(pool)
        found = listed(pool, Selection(**selected), limit) if each else []
    if as_json:
        print_json([asdict(one) for one in found] if each else [asdict(one) for one in systems])
    else:
        console.print(_of(found) if each else _of_systems(systems))


def _of_systems(found: list[DeliveryStats]) -> Table:
    headings = ("system", "breaker", "waiting", "oldest", "refused", "unreachable", "posted", "cancelled", "calls")
    table = Table(*headings, "statuses")
    for one in found:
        calls = one.counts.get("answered", 0) + one.counts.get("unanswered", 0)
        table.add_row(
            one.target,
            one.breaker if not one.paused_for else f"{one.breaker}, paused {one.paused_for:.0f} s",
            f"{one.waiting:,}",
            f"{one.oldest:,.0f} s" if one.waiting else "",
            f"{one.refused:,}",
            f"{one.unreachable:,}",
            f"{one.counts.get('posted', 0):,}",
            f"{one.counts.get('cancelled', 0):,}",
            f"{calls:,}, {one.counts.get('unanswered', 0):,} unanswered",
            _told(one),
        )
    return table


def _told(one: DeliveryStats) -> str:
    """The age of the last complete report of invoice statuses."""
    if one.statuses is None:
        return "not asked"
    why = f": {one.statuses.reason}" if one.statuses.reason else ""
    if one.statuses.until is None:
        return f"not told yet{why}"
    return f"{one.counts.get('status_told', 0):,} told, all of {one.statuses.lag:,.0f} s ago{why}"


def _of(found: list[Delivery]) -> Table:
    table = Table("charge", "system", "state", "engagement", "subject", "amount", "reference", "why")
    for one in found:
        table.add_row(
            one.charge_id,
            one.target,
            one.state if one.code is None else f"{one.state}, {one.code}",
            one.engagement_id,
            one.subject,
            f"{one.amount} {one.currency}",
            one.reference or "",
            one.reason or "",
        )
    return table


@deliveries.command()
@click.argument("charge_id")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(charge_id: str, as_json: bool) -> None:
    """Show one charge: its state in each system, and its replays."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        found, asked = listed(pool, Selection(charge_id=charge_id)), replays(pool, charge_id)
    if not found:
        raise click.ClickException(f"no system outside ever had to do with charge {charge_id}")
    if as_json:
        print_json({"deliveries": [asdict(one) for one in found], "replays": [asdict(one) for one in asked]})
        return
    for one in found:
        table = Table(show_header=False, title=f"{charge_id} at {one.target}", title_justify="left")
        for name, content in asdict(one).items():
            table.add_row(name, "" if content is None else str(content))
        for again in (again for again in asked if again.target == one.target):
            table.add_row("replayed", f"{again.at:%Y-%m-%d %H:%M} by {again.by}, when {again.was}: {again.reason}")
        console.print(table)


@deliveries.command("replay")
@click.argument("charge_id", required=False)
@_selecting
@click.option("--all", "all_", is_flag=True, help="Everything that is not posted.")
@click.option("--reason", required=True, help="Why; kept for good.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who asks.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def replay_(charge_id: str | None, all_: bool, reason: str, by: str, as_json: bool, **selected: str | None) -> None:
    """Offer CHARGE_ID again, or the selection of the options, or --all; posted charges are left alone.

    A charge that was cancelled together with its reversal is offered again together with it.
    """
    narrowed = charge_id is not None or any(value is not None for value in selected.values())
    if narrowed == all_:
        raise click.UsageError("name a charge, or options that select some, or --all")
    if not reason.strip() or not by.strip():
        raise click.UsageError("--reason and --by must say something: they are kept")
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        found = replay(pool, Selection(charge_id=charge_id, **selected), reason, by)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        console.print(_said(found))


def _said(found: list[Replayed]) -> str:
    if not found:
        return "nothing of this kind is unposted; nothing is offered again"
    systems = sorted({one.target for one in found})
    return f"{len(found):,} charges are offered again to {', '.join(systems)}"
