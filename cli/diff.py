"""`hourstream diff A B`: the effect of another rate card or contract, from the outputs of two runs.

Run the same facts twice, once with the proposal in place of what it replaces, and compare the folders.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from cli.context import console, print_json
from cli.plain_console import styled
from common.decimals import plain

Line = Mapping[str, Any]
Ledger = Mapping[tuple[str, str], Line]
"""{(engagement, subject): line}"""
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(slots=True)
class Change:
    """The differences of one engagement and currency; amounts in that currency."""

    client_id: str
    engagement_id: str
    currency: str
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    subjects: int = 0  # subjects whose line differs in anything
    moves: dict[str, int] = field(default_factory=dict)  # "parked -> charged": how many

    @property
    def difference(self) -> Decimal:
        """The amount by which B bills more than A."""
        return self.after - self.before


def changes(old: Ledger, new: Ledger, clients: Mapping[str, str]) -> list[Change]:
    """Engagements in which a line differs, by client; `clients` names the client of an engagement."""
    found: dict[tuple[str, str], Change] = {}
    for where in sorted({*old, *new}):
        before, after = old.get(where, {}), new.get(where, {})
        engagement_id = where[0]
        for currency in sorted({str(line.get("currency") or "") for line in (before, after)} - {""}) or [""]:
            change = found.setdefault(
                (engagement_id, currency), Change(clients.get(engagement_id, ""), engagement_id, currency)
            )
            change.before += _amount(before, currency)
            change.after += _amount(after, currency)
        if before != after:
            change.subjects += 1
            if before.get("state") != after.get("state"):
                move = f"{before.get('state', 'absent')} -> {after.get('state', 'absent')}"
                change.moves[move] = change.moves.get(move, 0) + 1
    return sorted((c for c in found.values() if c.subjects), key=lambda c: (c.client_id, c.engagement_id, c.currency))


def changes_between(a: Path, b: Path) -> list[Change]:
    """`changes` of two runs. Raises click.ClickException for a folder that no run wrote."""
    old, new = (by_subject(_lines(folder / "ledger.jsonl")) for folder in (a, b))
    return changes(old, new, _clients(a) | _clients(b))


def _amount(line: Line, currency: str) -> Decimal:
    return Decimal(line["amount"]) if line.get("currency") == currency else Decimal(0)


def by_subject(lines: Iterable[Line]) -> Ledger:
    """The lines of a ledger by their subject."""
    return {(line["engagement_id"], line["subject"]): line for line in lines}


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


def as_json_of(found: Sequence[Change]) -> list[dict[str, object]]:
    """The changes for scripts."""
    return [asdict(change) | {"difference": plain(change.difference)} for change in found]


def table_of(found: Sequence[Change], before: str, after: str) -> Table:
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
