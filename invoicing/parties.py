"""Names for a document's parties and lines, looked up in master data, with ids where a name is missing.

Master data may be missing or late; the invoice is issued all the same, with ids in place of names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal

from common.decimals import plain
from invoicing.draft import DocumentKey, DueCharge, LineDraft, LineKey
from rating.model.master_data import Address, Client, Engagement, LegalEntity, Task

_NAMED_CREDITS = 10  # a line names so many of the subjects it credits; the list by charge is on `invoice.status`
_WHY_NOTHING = {
    "COVERED_BY_FEE": "included in the fee",
    "COVERED_BY_RETAINER": "included in the retainer",
    "OVER_CAP": "beyond the agreed cap",
}


@dataclass(frozen=True, slots=True)
class Names:
    """The masters that documents name, each by its id; any of them may be missing."""

    clients: Mapping[str, Client] = field(default_factory=dict)
    legal_entities: Mapping[str, LegalEntity] = field(default_factory=dict)
    engagements: Mapping[str, Engagement] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)

    def is_shared(self, charge: DueCharge) -> bool:
        """Whether a charge is invoiced on its client's own document: its engagement's choice, else its client's."""
        engagement, client = self.engagements.get(charge.engagement_id), self.clients.get(charge.client_id)
        choice = (engagement and engagement.invoice_per) or (client and client.invoice_per)
        return choice == "client"


@dataclass(frozen=True, slots=True)
class Party:
    """A seller or buyer as a document prints it; country in ISO 3166-1 alpha-2."""

    party_id: str
    name: str
    country: str | None = None
    street: str | None = None
    city: str | None = None
    postcode: str | None = None
    vat_id: str | None = None
    registration_id: str | None = None


def seller(account: DocumentKey, names: Names) -> Party:
    """The legal entity; where it is not known, its id and the country its engagement names."""
    entity_id = account.legal_entity
    entity = names.legal_entities.get(entity_id)
    if entity is None:
        engagement = names.engagements.get(account.engagement_id)
        return Party(entity_id, entity_id, engagement.seller_country if engagement else None)
    return _party(entity_id, entity.name, entity.country, entity.address, entity.vat_id, entity.registration_id)


def buyer(account: DocumentKey, names: Names) -> Party:
    """The client; where it is not known, its id."""
    client_id = account.client_id
    client = names.clients.get(client_id)
    if client is None:
        return Party(client_id, client_id)
    return _party(client_id, client.name, client.country, client.address, client.vat_id, None)


def filled(issued: Party, known: Party) -> Party:
    """A party as issued, completed from present master data; issued values do not change."""
    gaps = {f.name: getattr(known, f.name) for f in fields(Party) if getattr(issued, f.name) is None}
    return replace(issued, name=known.name if issued.name == issued.party_id else issued.name, **gaps)


def line_name(key: LineKey, names: Names) -> str:
    """The text of a line: the task's name, or the kind of charge and its id."""
    task = names.tasks.get(key.task_id) if key.task_id else None
    if key.subject is None:
        return task.name if task else (key.task_id or "Time")
    kind, _, identity = key.subject.partition(":")
    return f"{kind.capitalize()} {identity}"


def line_note(line: LineDraft, account: DocumentKey, names: Names) -> str | None:
    """How it was priced (labor category, agreed rate, multiplier, why it costs nothing), and what it credits.

    On a document that engagements share it names the engagement first (DOMAIN.md §4.2).
    """
    key = line.key
    parts = [] if account.engagement_id else [_engagement(key.engagement_id, names)]
    if key.labor_category:
        parts.append(key.labor_category)
    if key.rate is not None:
        parts.append(f"{plain(key.rate)} {account.currency} per {key.rate_unit}")
    if key.multiplier != Decimal(1):
        parts.append(f"times {plain(key.multiplier)}")
    if key.reason:
        parts.append(_WHY_NOTHING.get(key.reason, key.reason))
    if line.credited:
        more = len(line.credited) - _NAMED_CREDITS
        named = " ".join(line.credited[:_NAMED_CREDITS])
        parts.append(f"credits {named}" + (f" and {more} more" if more > 0 else ""))
    return ", ".join(parts) or None


def _engagement(engagement_id: str, names: Names) -> str:
    engagement = names.engagements.get(engagement_id)
    return f"engagement {engagement_id} ({engagement.name})" if engagement else f"engagement {engagement_id}"


def _party(
    party_id: str,
    name: str,
    country: str,
    address: Address | None,
    vat_id: str | None,
    registration_id: str | None,
) -> Party:
    return Party(
        party_id=party_id,
        name=name,
        country=address.country if address else country,
        street=address.street if address else None,
        city=address.city if address else None,
        postcode=address.postcode if address else None,
        vat_id=vat_id,
        registration_id=registration_id,
    )
