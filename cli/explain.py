"""`hourstream explain [ENGAGEMENT/]SUBJECT`: why a subject is charged what it is, and what would change that."""

from dataclasses import asdict

import click
from rich.table import Table

from assurance.explain import Explanation
from assurance.explain import explain as explained
from assurance.ledger_reader import Books
from cli.context import attached, console, print_json
from cli.trace import resolve
from common.decimals import plain
from settings import Settings
from warehouse.queries.rates import CardSearched


@click.command()
@click.argument("subject")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def explain(subject: str, as_json: bool) -> None:
    """Explain SUBJECT, such as `time:48:2015-03-30`, or `ENGAGEMENT/SUBJECT` where several engagements have one.

    Each rule in order, with what it looked at and its result; why other rate lines lost; what would change the amount.
    Worked out anew from the topics, as the facts stand now.
    """
    with attached(Settings.load()) as stack:
        engagement, name = resolve(stack.broker, subject)
        books = Books.of_engagement(stack.broker, engagement)
    found = explained(engagement, name, list(books.facts.values()), books.all_masters())
    if found is None:
        raise click.ClickException(f"{engagement} has no {name}: no fact makes it, or its terms name none")
    if as_json:
        print_json(asdict(found) | {"cards": [_plain(card) for card in found.cards]})
    else:
        show(found)


def show(found: Explanation) -> None:
    """The derivation as a table, then the cards that were searched, then what would change the amount."""
    amount = "" if found.amount is None else f", {found.amount} {found.currency}"
    steps = Table("rule", "looked at", "result", title_justify="left")
    steps.title = f"{found.subject} of {found.engagement_id}: {found.state}{amount}"
    for step in found.steps:
        steps.add_row(step.rule, step.inputs, step.result)
    console.print(steps)
    if found.cards:
        cards = Table("card", "line", "selects by", "rate", "verdict", title="rates", title_justify="left")
        for card in found.cards:
            cards.add_row(card.card.rate_card_id, "", "", "", card.verdict)
            for each in card.competitors:
                rate = f"{plain(each.line.amount)} per {each.line.unit}"
                cards.add_row("", each.line.line_id, each.selects, rate, each.verdict)
        console.print(cards)
    for change in found.changes:
        console.print(f"- {change}", soft_wrap=True)


def _plain(card: CardSearched) -> dict[str, object]:
    lines = [
        {
            "line_id": each.line.line_id,
            "selects": each.selects,
            "amount": plain(each.line.amount),
            "unit": each.line.unit,
            "decided": each.decided,
            "verdict": each.verdict,
        }
        for each in card.competitors
    ]
    return {
        "rate_card_id": card.card.rate_card_id,
        "revision": card.card.revision,
        "decided": card.decided,
        "verdict": card.verdict,
        "lines": lines,
    }
