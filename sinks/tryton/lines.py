"""Invoice lines in Tryton for a group of charges: quantity times price is exactly the net of the line.

Pure. A line gathers the charges of one period, task, labor category, rate and tax, as on our own invoices. Its net is
the sum of its charges, and every charge is on exactly one line or on none.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from common.decimals import plain
from invoicing.draft import DocumentKey, LineDraft, LineKey
from invoicing.parties import Names, line_name, line_note
from rating.model.money import rounded_money
from storage.charge_batch import ChargeRecord

Unit = Literal["hour", "one"]
_HUNDREDTH, _TEN_THOUSANDTH = Decimal("0.01"), Decimal("0.0001")  # what Tryton's hour, and its prices, have by default


@dataclass(frozen=True, slots=True)
class TrytonLine:
    """quantity x price = net; quantity has the sign of the net, and `charges` sum to it."""

    key: LineKey
    unit: Unit
    quantity: Decimal
    price: Decimal
    net: Decimal
    charges: tuple[ChargeRecord, ...]

    def description(self, names: Names, currency: str) -> str:
        """The text of a line: work, dates, pricing, and the hours where the quantity does not show them."""
        minutes = sum(charge["billable_minutes"] for charge in self.charges)
        drafted = LineDraft(self.key, self.quantity, self.unit, self.price, self.net)
        first = self.charges[0]
        account = DocumentKey(first["legal_entity"], first["client_id"], self.key.engagement_id, currency, False)
        parts = [line_name(self.key, names), self.key.period, line_note(drafted, account, names)]
        if minutes and self.unit == "one":
            parts.append(
                f"{minutes // 60}:{minutes % 60:02} h" if minutes > 0 else f"-{-minutes // 60}:{-minutes % 60:02} h"
            )
        return ", ".join(part for part in parts if part)


def lines_of(charges: Iterable[ChargeRecord]) -> tuple[list[TrytonLine], list[ChargeRecord]]:
    """The lines, in order, and the charges that are on none: those not billable, and those that net to zero."""
    gathered, unlined = defaultdict[LineKey, list[ChargeRecord]](list), list[ChargeRecord]()
    for charge in charges:
        if charge["tax_category"] is None or charge["tax_rate"] is None:
            unlined.append(charge)
        else:
            gathered[_key(charge, charge["tax_category"], charge["tax_rate"])].append(charge)
    lines = []
    for key in sorted(gathered, key=LineKey.order):
        line = _line(key, gathered[key])
        if line.net or sum(charge["billable_minutes"] for charge in line.charges) != 0:
            lines.append(line)
        else:
            unlined += line.charges
    return lines, unlined


def _key(charge: ChargeRecord, category: str, rate: Decimal) -> LineKey:
    return LineKey(
        engagement_id=charge["engagement_id"],
        period=charge["period"],
        kind=charge["kind"],
        task_id=charge["task_id"],
        labor_category=charge["labor_category"],
        subject=None if charge["kind"] == "time" else charge["subject"],
        rate=charge["rate"],
        rate_unit=charge["rate_unit"],
        multiplier=charge["multiplier"],
        reason=charge["reason"],
        tax_category=category,
        tax_rate=rate,
    )


def _line(key: LineKey, charges: Sequence[ChargeRecord]) -> TrytonLine:
    net = rounded_money(sum((charge["amount"] for charge in charges), Decimal(0)), charges[0]["currency"])
    minutes = sum(charge["billable_minutes"] for charge in charges)
    hours = (Decimal(minutes) / 60).quantize(_HUNDREDTH)
    if hours and hours * 60 == minutes and (not net or (net > 0) == (minutes > 0)):
        for price in _prices(key, net, hours):
            if price * hours == net:
                return TrytonLine(key, "hour", hours, price, net, tuple(charges))
    one = Decimal(-1 if net < 0 else 1)
    return TrytonLine(key, "one", one, abs(net), net, tuple(charges))


def _prices(key: LineKey, net: Decimal, hours: Decimal) -> Iterable[Decimal]:
    """The agreed price of an hour, then the one that the net implies; of no more digits than Tryton takes."""
    if key.rate is not None and key.rate_unit == "hour":
        agreed = key.rate * key.multiplier
        if agreed == agreed.quantize(_TEN_THOUSANDTH):
            yield Decimal(plain(agreed))
    yield Decimal(plain((net / hours).quantize(_TEN_THOUSANDTH)))
