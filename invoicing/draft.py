"""The draft of an invoice, as a pure function of the charges that are due (DOMAIN.md §4).

Charges and reversals of one account net. Amounts keep the sign of the charges: those of a credit note are below zero,
and only its document turns them round.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal, TypeAlias

from invoicing.tax_totals import TaxKey, TaxTotal, tax_totals, with_tax
from rating.model.money import exact, rounded, rounded_money, zero

HOUR = "HUR"  # UN/ECE recommendation 20
ONE = "C62"

Kind = Literal["invoice", "credit_note", "nothing"]
# Of each live document: what of its net, by tax category and rate, no live document has credited yet.
Rests: TypeAlias = Mapping[str, Mapping[TaxKey, Decimal]]
# Of each group of documents that credit each other: what they ask for beyond their rests with tax.
Residues: TypeAlias = Mapping[frozenset[str], Decimal]


@dataclass(frozen=True, slots=True, order=True)
class DocumentKey:
    """What may share an invoice (DOMAIN.md §4.2); category O stands alone (BR-O-11).

    Without an engagement (empty) it is the client's own: its engagements share a document. Empty po_number: no order.
    """

    legal_entity: str
    client_id: str
    engagement_id: str
    currency: str
    outside_scope: bool
    po_number: str = ""

    @property
    def key(self) -> str:
        """KEY of DOMAIN.md §4.3; an absent part is empty."""
        category = "O" if self.outside_scope else "T"
        parts = (self.legal_entity, self.client_id, self.engagement_id, self.currency, category, self.po_number)
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class DueCharge:
    """A charge or reversal that is on no live invoice.

    `credits` is the live invoice that bills what it reverses. `counterpart` is the live row that holds the other half
    of the pair: what it reverses, or its own reversal; that row may be no document.
    """

    charge_id: str
    reverses: str | None
    legal_entity: str
    client_id: str
    engagement_id: str
    currency: str
    subject: str
    kind: str
    period: str
    task_id: str | None
    labor_category: str | None
    billable_minutes: int
    rate: Decimal | None
    rate_unit: str | None
    multiplier: Decimal
    amount: Decimal
    reason: str | None
    tax_category: str
    tax_rate: Decimal
    po_number: str | None
    credits: str | None
    counterpart: str | None = None

    def account(self, shared: bool = False) -> DocumentKey:
        """The account it is billed to; where it is shared, the client's own."""
        engagement_id = "" if shared else self.engagement_id
        outside = self.tax_category == "O"
        return DocumentKey(
            self.legal_entity, self.client_id, engagement_id, self.currency, outside, self.po_number or ""
        )


@dataclass(frozen=True, slots=True)
class LineKey:
    """The common values of one line; `subject` for all but time, which is summed over its entries."""

    engagement_id: str
    period: str
    kind: str
    task_id: str | None
    labor_category: str | None
    subject: str | None
    rate: Decimal | None
    rate_unit: str | None
    multiplier: Decimal
    reason: str | None
    tax_category: str
    tax_rate: Decimal

    def order(self) -> tuple[str, ...]:
        """By engagement, period, kind of charge, then what was done."""
        texts = (
            self.engagement_id,
            self.period,
            self.kind,
            self.task_id,
            self.labor_category,
            self.subject,
            self.reason,
        )
        return (*(text or "" for text in texts), f"{self.rate or 0:030f}", f"{self.multiplier:030f}", self.tax_category)


@dataclass(frozen=True, slots=True)
class LineDraft:
    """A line: quantity in `unit` (signed as net) at `price` (never below zero), net in minor units of the currency.

    `credited` are the subjects whose invoiced charges it takes back, in order.
    """

    key: LineKey
    quantity: Decimal
    unit: str
    price: Decimal
    net: Decimal
    credited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice before it has a number; payable = net + tax + rounding (BR-CO-15, BR-CO-16)."""

    account: DocumentKey
    kind: Kind
    lines: tuple[LineDraft, ...]
    taxes: tuple[TaxTotal, ...]
    net: Decimal
    tax: Decimal
    rounding: Decimal
    payable: Decimal
    charges: Mapping[str, tuple[str, ...]]
    credits: tuple[str, ...]
    po_number: str | None

    @property
    def charge_ids(self) -> tuple[str, ...]:
        """Every charge on it, by engagement, then in the order published."""
        return tuple(charge_id for charge_ids in self.charges.values() for charge_id in charge_ids)

    @property
    def is_document(self) -> bool:
        """Whether it gets a number; a set that nets to nothing does not (DOMAIN.md §4.4)."""
        return self.kind != "nothing"


def by_account(
    charges: Iterable[DueCharge], is_shared: Callable[[DueCharge], bool] = lambda _: False
) -> dict[DocumentKey, list[DueCharge]]:
    """The charges of each account, in order of account; `charges` come in the order they were published.

    `is_shared` tells a charge whose engagement shares its client's document (DOMAIN.md §4.2).
    """
    accounts: dict[DocumentKey, list[DueCharge]] = defaultdict(list)
    for charge in charges:
        accounts[charge.account(is_shared(charge))].append(charge)
    return {account: accounts[account] for account in sorted(accounts)}


def draft_invoices(charges: Iterable[DueCharge], rests: Rests) -> list[Draft]:
    """One draft per account, in order of account; `charges` are in order of publication."""
    return [draft_invoice(account, due, rests) for account, due in by_account(charges).items()]


def draft_invoice(
    account: DocumentKey, charges: Sequence[DueCharge], rests: Rests, residues: Residues | None = None
) -> Draft:
    """The draft of one account."""
    currency = account.currency
    lines = tuple(_lines(charges, currency))
    # Compute tax from the lines: BR-Z-01 forbids a category without a line.
    taxes = tax_totals((((line.key.tax_category, line.key.tax_rate), line.net) for line in lines), currency)
    net = sum((total.base for total in taxes), zero(currency))
    tax = sum((total.amount for total in taxes), zero(currency))
    is_document = any(total.base for total in taxes)
    rounding = zero(currency)
    if is_document:
        rounding += _rounding(charges, rests, residues or {}, net + tax, currency)
    payable = net + tax + rounding
    return Draft(
        account=account,
        kind="nothing" if not is_document else "credit_note" if payable < 0 else "invoice",
        lines=lines,
        taxes=taxes,
        net=net,
        tax=tax,
        rounding=rounding,
        payable=payable,
        charges=_by_engagement(charges),
        credits=tuple(sorted({charge.credits for charge in charges if charge.credits})),
        po_number=account.po_number or None,
    )


def _by_engagement(charges: Iterable[DueCharge]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for charge in charges:
        found[charge.engagement_id].append(charge.charge_id)
    return {engagement_id: tuple(found[engagement_id]) for engagement_id in sorted(found)}


def _lines(charges: Iterable[DueCharge], currency: str) -> Iterable[LineDraft]:
    minutes: dict[LineKey, int] = defaultdict(int)
    nets: dict[LineKey, Decimal] = defaultdict(lambda: zero(currency))
    credited: dict[LineKey, set[str]] = defaultdict(set)
    for charge in charges:
        key = _line_key(charge)
        minutes[key] += charge.billable_minutes
        nets[key] += charge.amount
        if charge.credits:
            credited[key].add(charge.subject)
    for key in sorted(nets, key=LineKey.order):
        # A charge and its reversal that meet before either is invoiced leave nothing to say.
        if minutes[key] or nets[key]:
            net = rounded_money(nets[key], currency)
            yield LineDraft(key, *_priced(key, minutes[key], net, currency), net, tuple(sorted(credited[key])))


def _line_key(charge: DueCharge) -> LineKey:
    return LineKey(
        engagement_id=charge.engagement_id,
        period=charge.period,
        kind=charge.kind,
        task_id=charge.task_id,
        labor_category=charge.labor_category,
        subject=None if charge.kind == "time" else charge.subject,
        rate=charge.rate,
        rate_unit=charge.rate_unit,
        multiplier=charge.multiplier,
        reason=charge.reason,
        tax_category=charge.tax_category,
        tax_rate=charge.tax_rate,
    )


def _priced(key: LineKey, minutes: int, net: Decimal, currency: str) -> tuple[Decimal, str, Decimal]:
    """Quantity, unit and price of a line, such that quantity x price is its net.

    The price is the agreed rate where it gives the net to the cent, else the price that the net implies (after rounding
    by entry, a discount or a day rate). A difference in money alone (a rate corrected afterwards) is one piece.
    """
    if not minutes or (net and (net < 0) != (minutes < 0)):
        return Decimal(-1 if net < 0 else 1), ONE, abs(net)
    hours = Fraction(minutes, 60)
    quantity = _six_digits(hours)
    # The last is for a minute at a high rate, where the six digits of the hours show.
    candidates = [abs(exact(net) / hours), abs(exact(net) / exact(quantity))]
    if key.rate is not None and key.rate_unit == "hour":
        candidates.insert(0, exact(key.rate) * exact(key.multiplier))
    prices = [_six_digits(candidate) for candidate in candidates]
    fitting = (price for price in prices if rounded(exact(price) * exact(quantity), currency) == net)
    return quantity, HOUR, next(fitting, prices[-1])


def _six_digits(number: Fraction) -> Decimal:
    micro = (2 * abs(number.numerator) * 10**6 + number.denominator) // (2 * number.denominator)
    return Decimal(-micro if number < 0 else micro).scaleb(-6)


def _rounding(charges: Sequence[DueCharge], rests: Rests, residues: Residues, asked: Decimal, currency: str) -> Decimal:
    """The rounding amount (BT-114) of a document that credits: what makes credits tie to what was invoiced.

    Tax is rounded on each document's own sum, so crediting 68.33, 68.33, 57.50 and 85.00 at 20 % one by one would
    give back 335.00 of an invoice of 334.99. What all documents that credit each other ask for is to be what is left
    of each, with its tax.
    """
    offered = {charge.charge_id for charge in charges}
    undone = {charge.reverses for charge in charges if charge.reverses in offered}
    alone = [
        charge
        for charge in charges
        if charge.amount and charge.charge_id not in undone and charge.reverses not in offered
    ]
    linked = {row for charge in alone if (row := charge.credits or charge.counterpart)}
    if not linked:
        return zero(currency)
    own: dict[TaxKey, Decimal] = defaultdict(Decimal)
    credited: dict[tuple[str, TaxKey], Decimal] = defaultdict(Decimal)
    for charge in alone:
        key, row = (charge.tax_category, charge.tax_rate), charge.credits or charge.counterpart
        if row is None:
            own[key] += charge.amount
        else:  # also a charge that was freed by a void while its reversal stayed on the other document
            credited[row, key] += charge.amount
    due = sum((with_tax(net, key[1], currency) for key, net in own.items()), zero(currency))
    for (row, key), amount in credited.items():
        before = rests[row][key]
        due += with_tax(before + amount, key[1], currency) - with_tax(before, key[1], currency)
    due -= sum(residue for rows, residue in residues.items() if rows & linked)
    return rounded_money(due - asked, currency)
