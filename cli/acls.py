"""`hourstream acls`: prints or grants the rights of each process on the bus."""

import click
from rich.table import Table

from cli.context import console, print_json
from settings import Settings
from streaming.admin import admin_client
from topics.acls import AclChange, KafkaRight, apply, rights
from topics.consumers import PROCESSES

FORM = "User:hourstream-{process}"


@click.command()
@click.option("--principal", "form", default=FORM, show_default=True, help="How a process's principal is named.")
@click.option("--apply", "applied", is_flag=True, help="Give the principals exactly these rights, as administrator.")
@click.option("--compare", is_flag=True, help="Only show the changes that --apply would make.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def acls(form: str, applied: bool, compare: bool, as_json: bool) -> None:
    """Print the rights of every process, derived from its declared inputs and outputs; with --apply, grant them."""
    if "{process}" not in form:
        raise click.UsageError("--principal must hold {process}: a principal for all of them could do everything")
    wanted = rights(PROCESSES, form)
    if applied or compare:
        change = apply(admin_client(Settings.load().bootstrap), wanted, only_look=not applied)
        _tell(change, done=applied, as_json=as_json)
    elif as_json:
        print_json([_plain(right) for right in wanted])
    else:
        table = Table("principal", "may", "on")
        for right in wanted:
            what = f"{right.kind.name.lower()} {right.name}{'*' if right.prefix else ''}"
            table.add_row(right.principal, right.operation.name.lower(), what)
        console.print(table)


def _tell(change: AclChange, *, done: bool, as_json: bool) -> None:
    if as_json:
        print_json({"given": list(map(_plain, change.given)), "taken": list(map(_plain, change.taken))})
        return
    for sign, some in (("+", change.given), ("-", change.taken)):
        for right in some:
            console.print(f"{sign} {right}", soft_wrap=True)
    word = "given" if done else "to be given"
    console.print(f"{len(change.given)} rights {word}, {len(change.taken)} {word.replace('given', 'taken')}")


def _plain(right: KafkaRight) -> dict[str, object]:
    return {
        "principal": right.principal,
        "operation": right.operation.name,
        "resource": right.kind.name,
        "name": right.name,
        "prefix": right.prefix,
    }
