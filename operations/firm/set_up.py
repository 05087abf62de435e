"""The check of a project's set-up: what cannot bill, rates that nothing reaches, invoices that would fail."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import assert_never

from operations.firm.coverage import Coverage, Gap, coverage
from operations.firm.findings import Finding
from rating.model.facts import TimeEntry
from rating.model.lookups import Lookups
from rating.model.master_data import Client, Engagement, RateCard, RateLine
from rating.model.masters import Masters
from rating.model.rating_context import Contract, Rejection
from rating.tax import tax_on
from rating.time.time_checks import needs_rates
from sources.workbook.layout import sheets_of
from sources.workbook.problems import Place
from sources.workbook.record_check import FirmRecord
from topics import topic_names

_FIRST_GAPS = 20  # of one engagement


def set_up(masters: Masters, records: Iterable[FirmRecord], time: Iterable[TimeEntry]) -> Iterator[Finding]:
    """What is wrong with the set-up of the engagements and cards of a file, all at once."""
    every = list(records)
    ids = {each.id: each for each in every if each.topic == topic_names.MASTER_ENGAGEMENTS}
    booked: dict[str, list[TimeEntry]] = {}
    for entry in time:
        booked.setdefault(entry.engagement_id, []).append(entry)
    reached: set[tuple[str, str]] = set()
    for engagement_id, engagement in sorted(masters.engagements.items()):
        client = masters.clients.get(engagement.client_id)
        if client is None:
            continue
        entries = booked.get(engagement_id, [])
        of_all = coverage(engagement, client, masters, masters.consultants.values(), entries)
        reached |= of_all.reached
        if engagement_id in ids:
            place = ids[engagement_id].draft.place
            yield from _engagement(
                engagement, client, masters, _of_booked(of_all, engagement, client, masters, entries), place
            )
    yield from _not_reached(masters, every, reached)


def _of_booked(
    of_all: Coverage, engagement: Engagement, client: Client, masters: Masters, entries: list[TimeEntry]
) -> Coverage:
    """The coverage of the people who have booked on the engagement; of all people if none has."""
    people = {each.consultant_id for each in entries} & masters.consultants.keys()
    if not people:
        return of_all
    return coverage(engagement, client, masters, [masters.consultants[each] for each in sorted(people)], entries)


def _engagement(
    engagement: Engagement, client: Client, masters: Masters, found: Coverage, place: Place
) -> Iterator[Finding]:
    name = engagement.engagement_id

    def cannot(what: str, remedy: str) -> Finding:
        return Finding("cannot_bill", name, what, remedy, place)

    if engagement.status == "draft":
        yield cannot("is a draft, so nothing of it is billed", "set status to active when the contract is signed")
    if engagement.ends_on is not None and engagement.ends_on < engagement.starts_on:
        yield cannot("ends before it starts", "correct starts_on or ends_on")
    yield from (cannot(*told) for told in _terms(engagement))
    if needs_rates(engagement):
        if not any(task.engagement_id == name for task in masters.tasks.values()):
            yield cannot("has no task, so no time can be booked on it", "add a row to Tasks")
        for card_id in (engagement.rate_card_id, client.default_rate_card_id):
            card = masters.cards.get(card_id or "")
            if card is not None and card.currency != engagement.currency:
                what = f"its card {card.rate_card_id} is in {card.currency}, it bills in {engagement.currency}"
                yield cannot(f"{what}: no line of that card is used", "name a card of its own currency")
    for gap in found.gaps[:_FIRST_GAPS]:
        yield cannot(_told(gap), _remedy(gap, engagement))
    yield from _invoice(engagement, client, masters, place)


def _told(gap: Gap) -> str:
    until = "" if gap.until is None else f" until {gap.until}"
    match gap.code:
        case "NO_RATE":
            what = f"no rate for grade {gap.who}"
        case "NO_LABOR_CATEGORY":
            what = f"no rate, and no grade, for consultant {gap.who}"
        case "NO_TAX_RULE":
            what = "no tax rule"
        case _:
            what = gap.message.rstrip(".")
    return f"{what} from {gap.first}{until} ({gap.code})"


def _remedy(gap: Gap, engagement: Engagement) -> str:
    match gap.code:
        case "NO_RATE":
            return f"add a line for {gap.who} to a card in {engagement.currency} (Rate lines), valid from {gap.first}"
        case "NO_LABOR_CATEGORY":
            return f"add a row for {gap.who} to Grades, valid from {gap.first}"
        case "NO_TAX_RULE":
            return "add a row to Tax rules, or correct the tax_jurisdiction"
        case "INVALID_VAT_ID":
            return "correct the client's vat_id, or clear it"
        case _:
            return "correct the rate card"


def _terms(engagement: Engagement) -> Iterator[tuple[str, str]]:
    """Methods without the terms they need."""
    match engagement.billing_method:
        case "retainer":
            if engagement.retainer is None:
                yield "a retainer without retainer terms bills as time and materials", "fill the retainer columns"
        case "subscription":
            if engagement.subscription is None:
                yield "a subscription without a monthly fee bills nothing", "fill subscription.monthly_fee"
        case "fixed_fee":
            if not engagement.milestones:
                yield "a fixed fee without milestones bills nothing", "add rows to Milestone terms"
        case "outcome":
            if not engagement.outcomes:
                yield "an outcome contract without priced metrics bills nothing", "add rows to Outcome terms and Tiers"
        case "time_and_materials" | "non_billable":
            pass
        case _:
            assert_never(engagement.billing_method)


def _invoice(engagement: Engagement, client: Client, masters: Masters, place: Place) -> Iterator[Finding]:
    """What EN 16931 asks of a client whom a document is for."""
    tax = tax_on(Contract(engagement, client), Lookups(masters), engagement.starts_on)
    if not isinstance(tax, Rejection) and client.address is None and tax.category == "AE":
        what = f"client {client.client_id} has no address, which a reverse-charge invoice prints"
        yield Finding("invoice", engagement.engagement_id, what, "fill the address columns of the client", place)


def _not_reached(masters: Masters, records: Iterable[FirmRecord], reached: set[tuple[str, str]]) -> Iterator[Finding]:
    for each in records:
        card = masters.cards.get(each.id) if each.topic == topic_names.MASTER_RATE_CARDS else None
        for number, line in enumerate(card.lines if card else ()):
            if card is not None and (card.rate_card_id, line.line_id) not in reached:
                place = each.draft.place_of(f"lines[{number}]")
                what = f"nothing reaches this rate: {_why(card, line, masters)}"
                yield Finding(
                    "not_reached", f"{card.rate_card_id} line {line.line_id}", what, "correct or remove it", place
                )


def _why(card: RateCard, line: RateLine, masters: Masters) -> str:
    users = [each for each in masters.engagements.values() if _searches(each, card, masters)]
    if line.valid_to is not None and line.valid_to <= line.valid_from:
        return f"it ends on {line.valid_to}, before it begins"
    if not users:
        return "no engagement or client names the card, and it is no default of the firm"
    users = [each for each in users if each.currency == card.currency]
    if not users:
        return f"no engagement that searches the card bills in {card.currency}"
    if line.task_id and masters.tasks.get(line.task_id) is None:
        return f"task {line.task_id} is not known"
    if line.task_id and masters.tasks[line.task_id].engagement_id not in {each.engagement_id for each in users}:
        return f"the engagement of task {line.task_id} does not search this card"
    if line.labor_category and not _has_grade(masters, line.labor_category, line.valid_from, line.valid_to):
        return f"no consultant has grade {line.labor_category} while it is valid"
    return "a more specific line, an earlier card or the dates of the contracts leave it no work"


def _searches(engagement: Engagement, card: RateCard, masters: Masters) -> bool:
    client = masters.clients.get(engagement.client_id)
    named = {engagement.rate_card_id, client.default_rate_card_id if client else None}
    return card.is_firm_default or card.rate_card_id in named


def _has_grade(masters: Masters, category: str, first: date, until: date | None) -> bool:
    return any(task.labor_category == category for task in masters.tasks.values()) or any(
        grade.labor_category == category
        and (until is None or grade.valid_from < until)
        and (grade.valid_to is None or grade.valid_to > first)
        for person in masters.consultants.values()
        for grade in person.grades
    )


def sheet_title(topic: str) -> str:
    """The sheet of a topic's records."""
    return sheets_of(topic)[0].title


def by_kind(findings: Iterable[Finding]) -> Mapping[str, list[Finding]]:
    """Findings by their kind."""
    found: dict[str, list[Finding]] = {}
    for each in findings:
        found.setdefault(each.kind, []).append(each)
    return found
