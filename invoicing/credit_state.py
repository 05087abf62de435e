"""What documents that credit each other still ask for: what a new credit of them has to tie to."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from psycopg import Cursor
from psycopg.rows import TupleRow

from invoicing.draft import DueCharge, Residues, Rests
from invoicing.outbox_records import SYSTEM
from invoicing.tax_totals import TaxKey, with_tax

_LINKED = """
SELECT DISTINCT other.invoice_id
FROM hourstream.invoice_charges own
JOIN hourstream.charges c ON c.charge_id = own.charge_id
JOIN hourstream.charges pair ON pair.charge_id = c.reverses OR pair.reverses = c.charge_id
JOIN hourstream.invoice_charges other ON other.charge_id = pair.charge_id AND other.live
WHERE own.live AND own.invoice_id = ANY(%s)
"""
# Of each live row, the charges of which no other half is on a live row.
_RESTS = """
SELECT own.invoice_id, c.tax_category, c.tax_rate, sum(c.amount)
FROM hourstream.invoice_charges own JOIN hourstream.charges c ON c.charge_id = own.charge_id
WHERE own.live AND own.invoice_id = ANY(%s)
  AND NOT EXISTS (SELECT FROM hourstream.invoice_charges o WHERE o.charge_id = c.reverses AND o.live)
  AND NOT EXISTS (
      SELECT FROM hourstream.charges r JOIN hourstream.invoice_charges o ON o.charge_id = r.charge_id
      WHERE r.reverses = c.charge_id AND o.live)
GROUP BY own.invoice_id, c.tax_category, c.tax_rate
"""
_ASKED = """
SELECT invoice_id, system, currency, CASE WHEN kind = 'nothing' THEN 0 ELSE payable END
FROM hourstream.invoices WHERE invoice_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class CreditState:
    """Rests of the documents that charges credit, and residues of the groups they are in."""

    rests: Rests = field(default_factory=dict)
    residues: Residues = field(default_factory=dict)


def credit_state(cursor: Cursor[TupleRow], charges: Iterable[DueCharge]) -> CreditState:
    """The state of all rows that the charges are linked to, and of all rows that those are linked to.

    What another system rounded in its own way is not for our credits to give back: a group with such a document has no
    residue.
    """
    rests: dict[str, dict[TaxKey, Decimal]] = {}
    residues: dict[frozenset[str], Decimal] = {}
    for row in sorted({row for charge in charges if (row := charge.credits or charge.counterpart)}):
        if row in rests:
            continue
        group = _group(cursor, row)
        found = _rests(cursor, group)
        rests |= {each: found[each] for each in group}
        asked = cursor.execute(_ASKED, (sorted(group),)).fetchall()
        if all(system == SYSTEM for _, system, _, _ in asked):
            left = sum(
                (
                    with_tax(net, rate, currency)
                    for row_, _, currency, _ in asked
                    for (_, rate), net in found[row_].items()
                ),
                Decimal(0),
            )
            residues[group] = sum((payable for *_, payable in asked), Decimal(0)) - left
    return CreditState(rests, residues)


def _group(cursor: Cursor[TupleRow], row: str) -> frozenset[str]:
    group, new = {row}, {row}
    while new:
        new = {str(found) for (found,) in cursor.execute(_LINKED, (sorted(new),)).fetchall()} - group
        group |= new
    return frozenset(group)


def _rests(cursor: Cursor[TupleRow], group: frozenset[str]) -> dict[str, dict[TaxKey, Decimal]]:
    rests: dict[str, dict[TaxKey, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for invoice_id, category, rate, net in cursor.execute(_RESTS, (sorted(group),)).fetchall():
        rests[invoice_id][category, rate] = net
    return rests
