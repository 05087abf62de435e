"""`hourstream proposals`: changes of masters that one person proposed, for another one to publish."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.table import Table

from cli.context import attached, console
from cli.working_stack import working_stack
from operations.firm.change_sets import ChangeSet, change_sets, decide, load
from operations.firm.effect import sentence
from operations.firm.session import By, FirmSession
from privacy.open_vault import publishing_vault
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool, transaction


@click.group()
def proposals() -> None:
    """Change sets of `hourstream publish --propose`: list, show, approve, reject."""


@contextmanager
def _pool() -> Iterator[Pool]:
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        yield pool


@proposals.command("list")
@click.option("--status", type=click.Choice(["proposed", "published", "rejected"]), help="Only these.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="The latest ones.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: a JSON line each.")
def list_(status: str | None, limit: int, as_json: bool) -> None:
    """List change sets with their effect, newest first."""
    with _pool() as pool:
        found = change_sets(pool, status, limit)
    if as_json:
        for each in found:
            click.echo(json.dumps(each.as_json(), default=str))
        return
    table = Table("effect", "changes", "change set", "status", "by", "at", "reason")
    for each in found:
        table.add_row(
            sentence(each.effect), each.summary, each.change_set_id, each.status, each.proposed_by,
            f"{each.proposed_at:%Y-%m-%d %H:%M}", each.reason,
        )  # fmt: skip
    console.print(table)


@proposals.command()
@click.argument("change_set_id")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(change_set_id: str, as_json: bool) -> None:
    """One change set: its records, its effect by engagement, and what was decided."""
    with _pool() as pool:
        found = load(pool, change_set_id)
    if as_json:
        click.echo(json.dumps({**found.as_json(), "records": found.records}, indent=2, default=str))
        return
    console.print(f"{found.change_set_id} ({found.status}): {sentence(found.effect)}", soft_wrap=True)
    console.print(f"  {found.summary} of {found.file}, by {found.proposed_by}: {found.reason}", soft_wrap=True)
    for record in found.ready:
        console.print(f"  {' '.join(part for part in record.identity if part)}", soft_wrap=True)
    console.print(_by_engagement(found))


def _by_engagement(found: ChangeSet) -> Table:
    table = Table("credited", "billed again", "billed first", "currency", "engagement", "client", "subjects")
    for column in (0, 1, 2, 6):
        table.columns[column].justify = "right"
    for each in found.effect["engagements"]:
        table.add_row(
            each["credited"], each["rebilled"], each["billed"], each["currency"], each["engagement_id"],
            each["client_id"], str(each["subjects"]),
        )  # fmt: skip
    return table


@proposals.command()
@click.argument("change_set_id")
@click.option(
    "--by", default=getpass.getuser, show_default="you", help="Person who approves; not the one who proposed."
)
@click.option("--no-wait", is_flag=True, help="Return once the broker has the records.")
@click.option("--seconds", default=600.0, show_default=True, help="How long the workers may take.")
def approve(change_set_id: str, by: str, no_wait: bool, seconds: float) -> None:
    """Publish a change set exactly as it was proposed. Refused where one of its records has changed since."""
    settings = Settings.load()
    with working_stack(settings) as working:
        session = FirmSession(working.broker, working.pool, publishing_vault(settings, working.pool))
        found = load(working.pool, change_set_id)
        published = session.approve(found, By(by, datetime.now(UTC), "", found.file))
        rested = not no_wait and working.rest(seconds)
    console.print(
        f"{published:,} records published{' and settled' if rested else ''}: {sentence(found.effect)}", soft_wrap=True
    )


@proposals.command()
@click.argument("change_set_id")
@click.option("--reason", required=True, help="Why; kept for good.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who rejects.")
def reject(change_set_id: str, reason: str, by: str) -> None:
    """Reject a change set: it is kept, and never published."""
    with _pool() as pool, transaction(pool) as cursor:
        decide(cursor, change_set_id, "rejected", by=by, at=datetime.now(UTC), reason=reason)
    console.print(f"{change_set_id} is rejected")
