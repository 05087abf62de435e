"""Explains a rate: the cards searched for a charge, in their order, with the outcome of each of their lines.

The rules themselves (`rating.time.rates`) compute it over the present masters; the charge's own inputs are in its
derivation and components.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from rating.model.days import is_valid
from rating.model.lookups import Lookups
from rating.model.master_data import RateCard, RateLine
from rating.model.masters import Masters, master
from rating.time.rates import cards_searched, selectors, specificity
from schemas.json_codec import from_json
from warehouse.queries.sql import Asking
from warehouse.queries.traced_charges import TracedCharge

_LINES = 200  # shown of one card


@dataclass(frozen=True, slots=True)
class Competitor:
    """A line of a card that was examined; `verdict` is its outcome with the reason."""

    line: RateLine
    selects: str
    verdict: str
    decided: bool


@dataclass(frozen=True, slots=True)
class CardSearched:
    """A card within reach of the search, and its candidate lines; `verdict` is its outcome."""

    card: RateCard
    verdict: str
    decided: bool
    competitors: tuple[Competitor, ...]


@dataclass(frozen=True, slots=True)
class Sought:
    """What a rate is searched for."""

    engagement_id: str
    client_id: str
    consultant_id: str
    task_id: str
    labor_category: str | None
    work_date: date


def competition(cursor: Asking, charge: TracedCharge) -> list[CardSearched]:
    """The cards of a time charge in the order of the search; nothing where its engagement or client is not known."""
    if charge.consultant_id is None or charge.task_id is None:
        return []
    sought = Sought(
        charge.engagement_id,
        charge.client_id,
        charge.consultant_id,
        charge.task_id,
        charge.labor_category,
        charge.work_date,
    )
    return cards_compared(_masters(cursor, charge), sought)


def cards_compared(masters: Masters, sought: Sought) -> list[CardSearched]:
    """The same over masters."""
    engagement, client = masters.engagements.get(sought.engagement_id), masters.clients.get(sought.client_id)
    if engagement is None or client is None:
        return []
    found, decided, seen = [], False, set[str]()
    for card in cards_searched(engagement, client, Lookups(masters)):
        if card.rate_card_id in seen:
            continue
        seen.add(card.rate_card_id)
        if card.currency != engagement.currency:
            found.append(
                CardSearched(card, f"in {card.currency}, the engagement is in {engagement.currency}", False, ())
            )
            continue
        competitors = tuple(_competitors(card, sought, decided))
        wins = any(competitor.decided for competitor in competitors)
        verdict = "decided" if wins else "not reached: an earlier card decided" if decided else "no line matches"
        found.append(CardSearched(card, verdict, wins, competitors))
        decided = decided or wins
    return found


def _competitors(card: RateCard, sought: Sought, decided: bool) -> Iterator[Competitor]:
    wanted = selectors(sought.consultant_id, sought.task_id, sought.labor_category)
    order = {selector: rank for rank, selector in enumerate(wanted)}
    matching = [line for line in card.lines if _selector(line) in order]
    best_first = sorted(matching, key=lambda line: (order[_selector(line)], -line.valid_from.toordinal()))
    winner: RateLine | None = None
    for line in best_first[:_LINES]:
        selects = specificity(line)
        if not is_valid(sought.work_date, line.valid_from, line.valid_to):
            until = f" to {line.valid_to}" if line.valid_to else ""
            yield Competitor(line, selects, f"valid from {line.valid_from}{until}, not on {sought.work_date}", False)
        elif decided:
            yield Competitor(line, selects, "matches, but an earlier card decided", False)
        elif winner is None:
            winner = line
            yield Competitor(line, selects, "decides: the most specific line valid that day", True)
        elif _selector(line) == _selector(winner):
            yield Competitor(line, selects, f"as specific, but line {winner.line_id} is valid from a later day", False)
        else:
            yield Competitor(line, selects, f"matches, less specific than line {winner.line_id}", False)


def _selector(line: RateLine) -> tuple[str | None, str | None, str | None]:
    return line.consultant_id or None, line.task_id or None, line.labor_category or None


def _masters(cursor: Asking, charge: TracedCharge) -> Masters:
    query = """
    WITH own AS (
        SELECT * FROM hourstream.masters
        WHERE (topic = 'master.engagements' AND identity = %(engagement)s)
           OR (topic = 'master.clients' AND identity = %(client)s)
    )
    SELECT topic, identity, record FROM own
    UNION ALL
    SELECT topic, identity, record FROM hourstream.masters
    WHERE topic = 'master.rate-cards'
      AND (identity IN (SELECT record ->> 'rate_card_id' FROM own
                        UNION SELECT record ->> 'default_rate_card_id' FROM own)
           OR record ->> 'is_firm_default' = 'true')
    """
    found = cursor.execute(query, {"engagement": charge.engagement_id, "client": charge.client_id}).fetchall()
    return Masters.empty().with_records(
        (topic, id_, master(topic, from_json(topic, record))) for topic, id_, record in found
    )
