"""`hourstream ledger`: the ledger as it was known at a moment, and what differs between two moments."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import click
from rich.table import Table

from assurance.as_known import FOREVER, books_as_known, moment
from assurance.ledger_difference import EngagementDifference, Line, SubjectChange, by_subject, changes, subject_changes
from assurance.ledger_reader import Books
from cli.context import attached, console, errors, print_json
from cli.diff import as_json_of, table_of
from settings import Settings

_MOST_SHOWN = 200  # subjects in a table; --json gives all


@click.command()
@click.option("--as-of", "as_of", help="The moment: an instant, or a day (its end, UTC). Without: all there is.")
@click.option("--between", nargs=2, metavar="A B", help="Compare two moments instead.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the lines here, as ledger.jsonl.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def ledger(as_of: str | None, between: tuple[str, str] | None, out: Path | None, as_json: bool) -> None:
    """The ledger as it was known at a moment: the records appended by then, settled by this version's rules.

    Nothing published is asked, so no worker has to run.
    """
    if between is not None:
        if as_of is not None or out is not None:
            raise click.UsageError("--between goes with --json only: it compares two moments")
        _compare(between, as_json)
        return
    at = FOREVER if as_of is None else _moment("--as-of", as_of)
    with attached(Settings.load()) as stack, errors.status("reading the facts again"):
        (books,) = books_as_known(stack.broker, [at])
        lines = list(books.expected())
    if out is not None:
        with out.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    if as_json:
        print_json(lines)
    else:
        console.print(_summary(lines, "all there is" if as_of is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"))


def _moment(option: str, text: str) -> datetime:
    try:
        return moment(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"'{option}'") from None


def _summary(lines: Sequence[Line], title: str) -> Table:
    table = Table("state", "currency", "subjects", "amount", "worked minutes", title=f"Ledger, {title}")
    counted = Counter((str(line["state"]), str(line["currency"] or "")) for line in lines)
    for (state, currency), subjects in sorted(counted.items()):
        of_it = [line for line in lines if (line["state"], line["currency"] or "") == (state, currency)]
        amount = sum((Decimal(str(line["amount"])) for line in of_it), Decimal(0))
        minutes = sum(int(str(line["worked_minutes"])) for line in of_it)
        table.add_row(state, currency, f"{subjects:,}", f"{amount:,}" if currency else "", f"{minutes:,}")
    for column in table.columns[2:]:
        column.justify = "right"
    return table


def _compare(between: tuple[str, str], as_json: bool) -> None:
    earlier, later = (_moment("--between", text) for text in between)
    with attached(Settings.load()) as stack, errors.status("reading the facts again"):
        before, after = books_as_known(stack.broker, [earlier, later])
        found, each = _differences(before, after)
    if as_json:
        print_json({"engagements": as_json_of(found), "subjects": [_subject(one) for one in each]})
    elif each:
        console.print(table_of(found, between[0], between[1]))
        console.print(_table(each[:_MOST_SHOWN], between))
        if len(each) > _MOST_SHOWN:
            console.print(f"and {len(each) - _MOST_SHOWN:,} subjects more: --json gives all")
    else:
        console.print("no difference: the ledger was the same at both moments, subject by subject")


def _differences(before: Books, after: Books) -> tuple[list[EngagementDifference], list[SubjectChange]]:
    """By engagement and by subject; a client that only the earlier moment knew is named too."""
    old, new = by_subject(before.expected()), by_subject(after.expected())
    clients = before.clients() | after.clients()
    return changes(old, new, clients), subject_changes(old, new, clients)


def _subject(change: SubjectChange) -> dict[str, object]:
    return {
        "client_id": change.client_id,
        "engagement_id": change.engagement_id,
        "subject": change.subject,
        "before": change.before,
        "after": change.after,
    }


def _table(each: list[SubjectChange], between: tuple[str, str]) -> Table:
    table = Table("client", "engagement", "subject", *between)
    for change in each:
        said = (_said(change.before), _said(change.after))
        table.add_row(change.client_id, change.engagement_id, change.subject, *said)
    return table


def _said(line: Line | None) -> str:
    if line is None:
        return "absent"
    amount = f" {line['amount']} {line['currency']}" if line["currency"] else ""
    code = f" {line['code']}" if line["code"] else ""
    return f"{line['state']}{amount}{code}"
