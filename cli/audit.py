"""`hourstream audit`: prints the invariants of DOMAIN §5 (`assurance.statements`)."""

import sys
from collections.abc import Sequence

import click
from rich.table import Table

from assurance.statements import Statement, as_json, settled_statements
from cli.context import attached, console, errors, print_json
from cli.plain_console import verdict
from common.exit_codes import EXIT_NOTHING_RUNS
from devstack.stack import Stack
from settings import Settings
from sinks.routing_file import load_routes
from storage.migrations import migrate
from storage.postgres import open_pool
from streaming.topic_reader import topic_ends
from topics.catalogue import MASTERS, SETTLE_INPUTS


def print_statements(found: Sequence[Statement]) -> None:
    """Print the statements as a table."""
    console.print(table_of(found))


def table_of(found: Sequence[Statement]) -> Table:
    """The statements, their figures and verdicts."""
    table = Table("§5", "statement", "figures", "verdict", title="Audit", title_justify="left")
    for statement in found:
        figures = ", ".join(f"{name} {value}" for name, value in statement.figures.items() if value not in ([], {}))
        table.add_row(
            str(statement.number),
            statement.says,
            figures,
            verdict(statement.holds, "true", "FALSE"),
        )
    return table


def refuse_empty(stack: Stack) -> None:
    """End with exit status 3 where nothing was ever published: what is always true of nothing says nothing."""
    if not any(topic_ends(stack.broker, (*MASTERS, *SETTLE_INPUTS)).values()):
        refusal = click.ClickException(
            f"nothing is published here (home {stack.settings.home}): `hourstream publish`, or set HOURSTREAM_HOME"
        )
        refusal.exit_code = EXIT_NOTHING_RUNS
        raise refusal


@click.command()
@click.option("--json", "as_json_", is_flag=True, help="For scripts.")
def audit(as_json_: bool) -> None:
    """Read everything again and hold it to the always-true statements. Exit status 1: one is false; 3: no record."""
    with (
        attached(Settings.load()) as stack,
        open_pool(stack.postgres_url) as pool,
        errors.status("reading every topic again"),
    ):
        refuse_empty(stack)
        migrate(pool)
        found = settled_statements(stack.broker, pool, load_routes(stack.settings.routes))
    if as_json_:
        print_json(as_json(found))
    else:
        print_statements(found)
    sys.exit(0 if all(s.holds for s in found) else 1)
