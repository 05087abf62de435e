"""The effect of changes on what is charged: what would be credited, billed again and billed for the first time.

Every fact is read again and settled with the changes, and compared with what is published: exactly that difference is
what settle publishes when the changes are (DOMAIN.md §3.1, §3.2).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from assurance.ledger_reader import Books, net_charge
from operations.firm.changes import Change
from rating.model.charge import Charge, same_billing
from rating.model.facts import FACT_TYPES, fact, gathered
from rating.model.master_records import MASTER_TYPES, master
from rating.model.masters import lookups_touched
from rating.model.money import rounded_money
from rating.settle import settle
from storage.postgres import Pool, transaction
from tables.settlement.bucket import name_of
from tables.settlement.charge_record import charge_of


@dataclass(slots=True)
class Sums:
    """Amounts of one engagement and currency, before tax."""

    client_id: str
    credited: Decimal = Decimal(0)
    rebilled: Decimal = Decimal(0)
    billed: Decimal = Decimal(0)
    """Of subjects that had no charge."""
    subjects: int = 0


@dataclass(slots=True)
class Effect:
    """What changes would publish."""

    sums: dict[tuple[str, str], Sums] = field(default_factory=dict)
    """By engagement and currency."""
    invoices: list[str] = field(default_factory=list)
    """Issued documents that hold a charge to be credited."""
    newly_on_hold: int = 0
    released: int = 0

    def total(self, name: str) -> dict[str, Decimal]:
        """One of the sums by currency."""
        found: dict[str, Decimal] = {}
        for (_, currency), each in sorted(self.sums.items()):
            found[currency] = found.get(currency, Decimal(0)) + getattr(each, name)
        return {currency: amount for currency, amount in found.items() if amount}

    def as_json(self) -> dict[str, Any]:
        """As it is kept, and for scripts."""
        return {
            "invoices": self.invoices,
            "newly_on_hold": self.newly_on_hold,
            "released": self.released,
            "totals": {name: _texts(self.total(name)) for name in ("credited", "rebilled", "billed")},
            "engagements": [
                {"engagement_id": engagement_id, "client_id": each.client_id, "currency": currency,
                 "credited": format(each.credited, "f"), "rebilled": format(each.rebilled, "f"),
                 "billed": format(each.billed, "f"), "subjects": each.subjects}
                for (engagement_id, currency), each in sorted(self.sums.items())
            ],
        }  # fmt: skip


def sentence(effect: dict[str, Any]) -> str:
    """The effect in a sentence: "credits 12 invoices by 3,400.00 EUR, re-bills 3,812.50 EUR"."""
    totals, said = effect["totals"], []
    if totals["credited"]:
        count = len(effect["invoices"])
        on = f" {count:,} invoice{'' if count == 1 else 's'}" if count else " charges that are on no invoice"
        said.append(f"credits{on} by {_amounts(totals['credited'])}")
    if totals["rebilled"]:
        said.append(f"re-bills {_amounts(totals['rebilled'])}")
    if totals["billed"]:
        said.append(f"bills {_amounts(totals['billed'])} for the first time")
    if effect["newly_on_hold"]:
        said.append(f"puts {effect['newly_on_hold']:,} subjects on hold")
    if effect["released"]:
        said.append(f"releases {effect['released']:,} subjects")
    return ", ".join(said) or "changes no charge"


def effect_of(books: Books, pool: Pool, changes: Iterable[Change], at: datetime) -> Effect:
    """The effect that changes published at a moment have on the books as they are read. Books are changed by it."""
    before = {where: each for where, each in books.exceptions.items() if each["status"] == "open"}
    touched, engagements = _apply(books, changes, at)
    masters = books.all_masters()
    charged: dict[str, set[str]] = {}
    for engagement_id, subject in books.charges:
        charged.setdefault(engagement_id, set()).add(subject)
    found, credited = Effect(), list[str]()
    for engagement_id, facts in sorted(books.engagements().items()):
        settled = settle(engagement_id, gathered(facts), masters)
        if engagement_id not in engagements and not settled.lookups & touched:
            continue
        engagement = masters.engagements.get(engagement_id)
        client = engagement.client_id if engagement else ""
        for subject in {*settled.subjects, *charged.get(engagement_id, ())}:
            settlement = settled.subjects.get(subject)
            charge = settlement.charge if settlement else None
            _compare(found, credited, books, (engagement_id, subject), charge, client)
            on_hold = settlement is not None and settlement.parked is not None and not settlement.parked.waived
            was = (engagement_id, subject) in before
            found.newly_on_hold += on_hold and not was
            found.released += was and not on_hold
    found.invoices = _invoices(pool, credited)
    return found


def _apply(books: Books, changes: Iterable[Change], at: datetime) -> tuple[frozenset[str], set[str]]:
    """Put the changes into the books; the look-ups they touch, and the engagements whose facts they change."""
    touched: set[str] = set()
    engagements: set[str] = set()
    for change in changes:
        topic, record = change.record.topic, {**change.record.record, "revision": change.revision, "occurred_at": at}
        if topic in MASTER_TYPES:
            old = books.masters.get((topic, change.record.id))
            new = master(topic, record)
            books.masters[topic, change.record.id] = new
            touched |= lookups_touched(topic, old, new)
        elif topic in FACT_TYPES:
            arrived = fact(topic, record)
            books.facts[arrived.engagement_id, name_of(arrived)] = arrived
            engagements.add(arrived.engagement_id)
    return frozenset(touched), engagements


def _compare(
    found: Effect, credited: list[str], books: Books, where: tuple[str, str], new: Charge | None, client_id: str
) -> None:
    published = net_charge(books.charges.get(where, ()))
    old = None if published is None else charge_of(published)
    if (old is None and new is None) or (old is not None and new is not None and same_billing(old, new)):
        return
    for charge in (old, new):
        if charge is None:
            continue
        sums = found.sums.setdefault((where[0], charge.currency), Sums(client_id or charge.client_id))
        sums.subjects += charge is old or old is None
        amount = rounded_money(charge.amount, charge.currency)  # a published one has the places of its schema
        if charge is old:
            sums.credited += amount
        elif old is None:
            sums.billed += amount
        else:
            sums.rebilled += amount
    if published is not None:
        credited.append(str(published["charge_id"]))


def _invoices(pool: Pool, charge_ids: list[str]) -> list[str]:
    """The issued documents that hold these charges."""
    with transaction(pool) as cursor:
        rows = cursor.execute(
            "SELECT DISTINCT invoice_id FROM hourstream.invoice_charges JOIN hourstream.invoices USING (invoice_id)"
            " WHERE charge_id = ANY(%s) AND live AND kind <> 'nothing' ORDER BY invoice_id",
            (charge_ids,),
        ).fetchall()
    return [str(row[0]) for row in rows]


def _texts(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {currency: format(amount, "f") for currency, amount in amounts.items()}


def _amounts(texts: dict[str, str]) -> str:
    return ", ".join(f"{Decimal(amount):,f} {currency}" for currency, amount in texts.items())
