"""Figures that must tie: minutes approved and accounted for, charges in the journal and on invoices."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from warehouse.queries.sql import Asking, rows


@dataclass(frozen=True, slots=True)
class TotalRow:
    """A sum over everything; currency is '' for those of minutes alone."""

    name: str
    currency: str
    records: int
    minutes: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MinutesTotals:
    """DOMAIN §5.1: approved minutes are charged, parked or waived; `residue` is 0 or a defect."""

    approved: int
    charged: int
    parked: int
    waived: int

    @property
    def residue(self) -> int:
        """Approved minutes that are nowhere."""
        return self.approved - self.charged - self.parked - self.waived


@dataclass(frozen=True, slots=True)
class CurrencyTies:
    """One currency from charge to invoice, reversals netted; `documents` is the net of invoices that stand.

    `unposted` is charged, and neither posted nor refused: on its way, or a defect. `unexplained` are charges on live
    invoices less the net of the documents: 0 or a defect. `ties` says that both are 0.
    """

    currency: str
    charges: int
    charged: Decimal
    postings: int
    posted: Decimal
    refused: Decimal
    invoiced_charges: int
    invoiced: Decimal
    documents: Decimal
    open: Decimal
    unposted: Decimal
    unexplained: Decimal
    ties: bool


def figures(cursor: Asking) -> list[TotalRow]:
    """All totals of the last computation."""
    query = "SELECT name, currency, records, minutes, amount FROM hourstream.figures ORDER BY name, currency"
    return rows(cursor, TotalRow, query, {})


def minutes(found: list[TotalRow]) -> MinutesTotals:
    """The statement of minutes."""
    of = {name: sum(each.minutes for each in found if each.name == name) for name in _MINUTES}
    return MinutesTotals(of["approved"], of["charged"], of["parked"], of["waived"])


_MINUTES = ("approved", "charged", "parked", "waived")
_MONEY = ("charged", "posted", "refused", "invoiced", "documents", "open")
_NONE = TotalRow("", "", 0, 0, Decimal(0))


def ties(found: list[TotalRow]) -> list[CurrencyTies]:
    """The statement of money, a row a currency."""
    by = {(each.name, each.currency): each for each in found}
    return [_ties(by, currency) for currency in sorted({each.currency for each in found if each.name == "charged"})]


def _ties(by: Mapping[tuple[str, str], TotalRow], currency: str) -> CurrencyTies:
    charged, posted, refused, invoiced, documents, open_ = (by.get((name, currency), _NONE) for name in _MONEY)
    unposted = charged.amount - posted.amount - refused.amount
    unexplained = invoiced.amount - documents.amount
    return CurrencyTies(
        currency, charged.records, charged.amount, posted.records, posted.amount, refused.amount, invoiced.records,
        invoiced.amount, documents.amount, open_.amount, unposted, unexplained, ties=not unposted and not unexplained,
    )  # fmt: skip
