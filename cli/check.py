"""`hourstream check PATH`: every fault of a firm's data at once, then what the data would mean. Starts nothing."""

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import click
from rich.table import Table

from cli.context import console
from common.exit_codes import EXIT_REFUSED
from operations.firm.check import Checked, check_firm
from operations.firm.findings import Finding
from operations.firm.preview import Preview
from sources.workbook.grids import Unreadable

DATA = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("path", type=DATA)
@click.option("--open-references", is_flag=True, help="Let references lead nowhere: their records come later.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0), help="Subjects on hold to name.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def check(path: Path, open_references: bool, limit: int, as_json: bool) -> None:
    """Check a workbook, CSV or JSON lines file, or a folder of them, and say what they would bill.

    Exit status 1 when there are errors. Findings are no errors: they say what will not be billed, and why.
    """
    checked = checked_firm(path, open_references)
    if as_json:
        click.echo(json.dumps(checked.as_json(), indent=2, ensure_ascii=False))
    else:
        show(checked, path, limit)
    if checked.problems:
        raise click.exceptions.Exit(EXIT_REFUSED)


def checked_firm(path: Path, open_references: bool) -> Checked:
    """The check of a path by itself; a path that cannot be read is an error message."""
    try:
        return check_firm(path, open_references=open_references)
    except Unreadable as error:
        raise click.ClickException(str(error)) from error


def show(checked: Checked, path: Path, limit: int = 20) -> None:
    """Print the errors, the findings, and what would be charged."""
    if checked.problems:
        _say(f"{_counted(len(checked.problems), 'error')} in {path}: nothing of it can be published")
        for problem in checked.problems:
            _say(f"  {problem}")
    else:
        _say(f"{path}: {_counted(len(checked.records), 'record')}, no errors")
    show_findings(checked.findings)
    if checked.previews and not checked.problems:
        show_previews(checked.previews, limit)


def show_findings(findings: Iterable[Finding]) -> None:
    """Print what the data would mean, cause by cause."""
    headings = {"cannot_bill": "cannot bill", "not_reached": "rates that nothing reaches", "invoice": "invoices"}
    found = list(findings)
    for kind, heading in headings.items():
        of_kind = [each for each in found if each.kind == kind]
        if of_kind:
            _say(f"{heading} ({len(of_kind)})")
        for each in of_kind:
            _say(f"  {each}")


def show_previews(previews: Iterable[Preview], limit: int) -> None:
    """Print what the included work would be charged, before tax."""
    table = Table("would charge", "currency", "tax", "engagement", "client", "charges", "minutes", "on hold")
    for column in (0, 5, 6, 7):
        table.columns[column].justify = "right"
    for each in previews:
        for currency, amount in sorted(each.amounts.items()) or [("", Decimal(0))]:
            table.add_row(
                f"{amount:,f}" if currency else "", currency, ", ".join(sorted(each.taxes)), each.engagement_id,
                each.client_id, str(each.states["charged"]), f"{each.minutes:,}", str(len(each.on_hold)),
            )  # fmt: skip
    console.print(table)
    held = [each for found in previews for each in found.on_hold]
    for one in held[:limit]:
        _say(f"  on hold: {one.place or one.subject} {one.code}: {one.message}")
    if len(held) > limit:
        _say(f"  and {len(held) - limit:,} more on hold (--limit)")


def _say(line: str) -> None:
    console.print(line, soft_wrap=True)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
