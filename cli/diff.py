"""`hourstream diff A B`: the effect of another rate card or contract, from the outputs of two runs.

Run the same facts twice, once with the proposal in place of what it replaces, and compare the folders.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import click
from rich.table import Table

from assurance.ledger_difference import EngagementDifference, Line, by_subject, changes
from cli.context import console, print_json
from cli.plain_console import styled
from common.decimals import plain

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def changes_between(a: Path, b: Path) -> list[EngagementDifference]:
    """`changes` of two runs. Raises click.ClickException for a folder that no run wrote."""
    old, new = (by_subject(_lines(folder / "ledger.jsonl")) for folder in (a, b))
    return changes(old, new, _clients(a) | _clients(b))


def _clients(folder: Path) -> dict[str, str]:
    return {line["engagement_id"]: line["client_id"] for line in _lines(folder / "charges.jsonl")}


def _lines(path: Path) -> Iterator[Line]:
    if not path.exists():
        raise click.ClickException(f"{path} is not there: give two folders that `hourstream run --out` wrote")
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            try:
                yield json.loads(text)
            except ValueError as error:
                raise click.ClickException(f"{path}:{number}: no JSON: {error}; run it again") from error


@click.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def diff(a: Path, b: Path, as_json: bool) -> None:
    """Compare the ledgers of two runs: by client and engagement, what B bills that A does not."""
    found = changes_between(a, b)
    if as_json:
        print_json(as_json_of(found))
    elif found:
        console.print(table_of(found, "A", "B"))
    else:
        console.print("no difference: both runs bill the same, subject by subject")


def as_json_of(found: Sequence[EngagementDifference]) -> list[dict[str, object]]:
    """The changes for scripts."""
    return [asdict(change) | {"difference": plain(change.difference)} for change in found]


def table_of(found: Sequence[EngagementDifference], before: str, after: str) -> Table:
    """The changes by client and engagement, and in all by currency."""
    table = Table("client", "engagement", "currency", before, after, "difference", "subjects", "state changes")
    for column in table.columns[3:7]:
        column.justify = "right"
    for c in found:
        moves = ", ".join(f"{n} {move}" for move, n in sorted(c.moves.items()))
        row = (f"{c.before:,}", f"{c.after:,}", f"{c.difference:+,}", str(c.subjects), moves)
        table.add_row(c.client_id, c.engagement_id, c.currency, *row)
    for currency in sorted({c.currency for c in found}):
        of_it = [c for c in found if c.currency == currency]
        old, new = sum((c.before for c in of_it), Decimal(0)), sum((c.after for c in of_it), Decimal(0))
        total = (f"{old:,}", f"{new:,}", f"{new - old:+,}", str(sum(c.subjects for c in of_it)), "")
        table.add_row(styled("in all", "bold"), "", currency, *total)
    return table
