"""The draft of an invoice, as a pure function of the charges that are due (DOMAIN.md §4).

Charges and reversals of one account net. Amounts keep the sign of the charges: those of a credit note are below zero,
and only its document turns them round.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal, TypeAlias

from rating.model.money import exact, nothing, rounded, rounded_money

HOUR = "HUR"  # UN/ECE recommendation 20
ONE = "C62"

Kind = Literal["invoice", "credit_note", "nothing"]
TaxKey: TypeAlias = tuple[str, Decimal]
# Per live invoice: its net, by tax category and rate, that no live document has credited yet.
Rests: TypeAlias = Mapping[str, Mapping[TaxKey, Decimal]]


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """The group that may share an invoice (DOMAIN.md §4.2): one purchase order or none (empty); category O alone
    (BR-O-11).
    """

    legal_entity: str
    client_id: str
    engagement_id: str
    currency: str
    outside_scope: bool
    po_number: str = ""


@dataclass(frozen=True, slots=True)
class DueCharge:
    """A charge or reversal that is on no live invoice; `credits` is the live invoice that bills the reversed charge."""

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

    def account(self) -> Account:
        """The account it is billed to."""
        outside = self.tax_category == "O"
        order = self.po_number or ""
        return Account(self.legal_entity, self.client_id, self.engagement_id, self.currency, outside, order)


@dataclass(frozen=True, slots=True)
class LineKey:
    """The common values of one line; `subject` for all but time, which is summed over its entries."""

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
        """The order of lines: by period, then kind of charge, then work."""
        texts = (self.period, self.kind, self.task_id, self.labor_category, self.subject, self.reason)
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
class TaxTotal:
    """The tax of one category and rate (percent): amount = base x rate / 100, rounded half away from zero."""

    category: str
    rate: Decimal
    base: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice before it has a number; payable = net + tax + rounding (BR-CO-15, BR-CO-16)."""

    account: Account
    kind: Kind
    lines: tuple[LineDraft, ...]
    taxes: tuple[TaxTotal, ...]
    net: Decimal
    tax: Decimal
    rounding: Decimal
    payable: Decimal
    charge_ids: tuple[str, ...]
    credits: tuple[str, ...]
    po_number: str | None


def by_account(charges: Iterable[DueCharge]) -> dict[Account, list[DueCharge]]:
    """The charges of each account, in order of account; `charges` are in order of publication."""
    accounts: dict[Account, list[DueCharge]] = defaultdict(list)
    for charge in charges:
        accounts[charge.account()].append(charge)
    return {account: accounts[account] for account in sorted(accounts)}


def draft_invoices(charges: Iterable[DueCharge], rests: Rests) -> list[Draft]:
    """One draft per account, in order of account; `charges` are in order of publication."""
    return [draft_invoice(account, due, rests) for account, due in by_account(charges).items()]


def tax_totals(nets: Iterable[tuple[TaxKey, Decimal]], currency: str) -> tuple[TaxTotal, ...]:
    """Tax by category and rate of net amounts: on the sum of each, never by line (BR-CO-17)."""
    bases: dict[TaxKey, Decimal] = defaultdict(lambda: nothing(currency))
    for key, net in nets:
        bases[key] += net
    return tuple(
        TaxTotal(category, rate, rounded_money(base, currency), tax_of(base, rate, currency))
        for (category, rate), base in sorted(bases.items())
    )


def tax_of(base: Decimal, rate: Decimal, currency: str) -> Decimal:
    """Tax of a net amount at a rate in percent, in minor units, half away from zero."""
    return rounded(exact(base) * exact(rate) / 100, currency)


def draft_invoice(account: Account, charges: Sequence[DueCharge], rests: Rests) -> Draft:
    """The draft of one account."""
    currency = account.currency
    lines = tuple(_lines(charges, currency))
    # Compute tax from the lines: BR-Z-01 and similar rules forbid a category without a line.
    taxes = tax_totals((((line.key.tax_category, line.key.tax_rate), line.net) for line in lines), currency)
    net = sum((total.base for total in taxes), nothing(currency))
    tax = sum((total.amount for total in taxes), nothing(currency))
    rounding = _rest_of_a_cent(charges, rests, tax, currency)
    payable = net + tax + rounding
    return Draft(
        account=account,
        kind="nothing" if not any(total.base for total in taxes) else "credit_note" if payable < 0 else "invoice",
        lines=lines,
        taxes=taxes,
        net=net,
        tax=tax,
        rounding=rounding,
        payable=payable,
        charge_ids=tuple(charge.charge_id for charge in charges),
        credits=tuple(sorted({charge.credits for charge in charges if charge.credits})),
        po_number=account.po_number or None,
    )


def _lines(charges: Iterable[DueCharge], currency: str) -> Iterable[LineDraft]:
    minutes: dict[LineKey, int] = defaultdict(int)
    nets: dict[LineKey, Decimal] = defaultdict(lambda: nothing(currency))
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


def _rest_of_a_cent(charges: Sequence[DueCharge], rests: Rests, tax: Decimal, currency: str) -> Decimal:
    """The rounding amount (BT-114) of a document that only credits, so that the credits sum to the invoice.

    Tax is rounded on each document's own sum, so crediting 68.33, 68.33, 57.50 and 85.00 at 20 % one by one would give
    back 335.00 of an invoice of 334.99. The amount that stays owed must equal an invoice of the rest.
    """
    offered = {charge.charge_id for charge in charges}
    undone = {charge.reverses for charge in charges if charge.reverses in offered}
    alone = [
        charge
        for charge in charges
        if charge.amount and charge.charge_id not in undone and charge.reverses not in offered
    ]
    if any(charge.credits is None for charge in alone):
        return nothing(currency)
    credited: dict[tuple[str, TaxKey], Decimal] = defaultdict(Decimal)
    for charge in alone:
        credited[str(charge.credits), (charge.tax_category, charge.tax_rate)] += charge.amount
    due = nothing(currency)
    for (invoice_id, key), amount in credited.items():
        before = rests[invoice_id][key]
        due += tax_of(before + amount, key[1], currency) - tax_of(before, key[1], currency)
    return due - tax
