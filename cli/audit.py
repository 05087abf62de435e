"""`hourstream audit`: prints the invariants of DOMAIN §5 (`assurance.statements`)."""

import sys
from collections.abc import Sequence

import click
from rich.table import Table

from assurance.statements import Statement, as_json, settled_statements
from cli.context import attached, console, errors, print_json
from cli.plain_console import verdict
from settings import Settings
from sinks.routing_file import load_routes
from storage.migrations import migrate
from storage.postgres import open_pool


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


@click.command()
@click.option("--json", "as_json_", is_flag=True, help="For scripts.")
def audit(as_json_: bool) -> None:
    """Read everything again and hold it to the always-true statements. Exit status 1 when one is false."""
    with (
        attached(Settings.load()) as stack,
        open_pool(stack.postgres_url) as pool,
        errors.status("reading every topic again"),
    ):
        migrate(pool)
        found = settled_statements(stack.broker, pool, load_routes(stack.settings.routes))
    if as_json_:
        print_json(as_json(found))
    else:
        print_statements(found)
    sys.exit(0 if all(s.holds for s in found) else 1)
