"""`hourstream shadow`: the effect of this version's rules on the published ledger, before it takes over.

It reads every fact again and settles it in memory by the rules of this checkout, beside the running workers; it
publishes nothing. Workers of this version settle everything again at their first start (tables.settlement.resettle) and
publish exactly these differences.
"""

import sys

import click

from assurance.ledger_reader import Books
from cli.context import attached, console, errors, print_json
from cli.diff import as_json_of, by_subject, changes, table_of
from rating.model.charge import RULES_VERSION
from settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def shadow(as_json: bool) -> None:
    """Settle all facts by this version's rules and compare with the published ledger. Exit status 1 on a difference."""
    with attached(Settings.load()) as stack, errors.status("reading every topic again"):
        books = Books.read(stack.broker)
    found = changes(by_subject(books.ledger()), by_subject(books.expected()), books.clients())
    if as_json:
        print_json({"rules_version": RULES_VERSION, "changes": as_json_of(found)})
    elif found:
        console.print(table_of(found, "published", f"rules {RULES_VERSION}"))
    else:
        console.print(f"no difference: rules {RULES_VERSION} agree with the published ledger, subject by subject")
    sys.exit(1 if found else 0)
