"""`hourstream console-role`: grants the console's database role its rights."""

import click
from psycopg.errors import UndefinedObject

from cli.context import attached, console
from settings import Settings
from storage.console_role import grant_console
from storage.migrations import migrate
from storage.postgres import open_pool


@click.command("console-role")
@click.argument("role")
def console_role(role: str) -> None:
    """Let the database role ROLE, which exists, serve the console; it owns nothing. Run it again after an upgrade."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url, max_size=2) as pool:
        migrate(pool)
        try:
            grant_console(pool, role)
        except UndefinedObject as error:
            raise click.ClickException(f"there is no role {role}: CREATE ROLE {role} LOGIN PASSWORD '…'") from error
    console.print(f"{role} may serve the console, and owns nothing", markup=False)
