"""`hourstream tokens`: tokens of machines for the console's API."""

import getpass
from dataclasses import asdict

import click
from rich.markup import escape
from rich.table import Table

from cli.context import attached, console, errors, print_json
from console.access import tokens as access
from console.access.user import ROLES, User
from settings import Settings
from storage.migrations import migrate
from storage.postgres import open_pool, transaction

VIA = "command line"


@click.group()
def tokens() -> None:
    """Tokens of machines: create, list, revoke."""


@tokens.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="Its role; each role includes those before.")
@click.option("--rates", is_flag=True, help="It may see rates, costs and amounts.")
@click.option("--names", is_flag=True, help="It may see names of people in files.")
@click.option("--days", type=click.IntRange(1, access.LONGEST_DAYS), default=90, show_default=True, help="How long.")
def create(name: str, role: str, rates: bool, names: bool, days: int) -> None:
    """Make a token named NAME and print it, alone on a line. It is shown this once; only its digest is kept."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        try:
            made = access.create(pool, name, role, sees_rates=rates, days=days, by=_me(), sees_names=names)
        except access.NameTaken as error:
            raise click.ClickException(str(error)) from error
    click.echo(made)
    rights = f"{role}{', sees rates' if rates else ''}{', sees names' if names else ''}"
    errors.print(f"{name}: {rights}, for {days} days; it cannot be shown again", markup=False)


@tokens.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(as_json: bool) -> None:
    """All tokens ever made, never their secrets."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        with transaction(pool) as cursor:
            found = access.tokens(cursor)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    table = Table("name", "role", "rates", "names", "made by", "expires", "last used", "revoked")
    for each in found:
        days = (str(at)[:16] if at else "" for at in (each.expires_at, each.last_used_at, each.revoked_at))
        shown = ("yes" if right else "no" for right in (each.sees_rates, each.sees_names))
        table.add_row(escape(each.name), each.role, *shown, escape(each.created_by), *days)
    console.print(table)


@tokens.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept for good.")
def revoke(name: str, reason: str) -> None:
    """End the token named NAME, at once and for good."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        try:
            access.revoke(pool, name, by=_me(), reason=reason)
        except access.NoSuchToken as error:
            raise click.ClickException(str(error)) from error
    console.print(f"{name} is revoked")


def _me() -> User:
    return User(getpass.getuser(), frozenset(ROLES), sees_rates=True, via=VIA)
