"""What must tie: minutes approved and accounted for, charges and what the journal and invoices have of them."""

from dataclasses import dataclass
from decimal import Decimal

from warehouse.queries.sql import Asking, rows


@dataclass(frozen=True, slots=True)
class Figure:
    """A sum over everything; currency is '' for those of minutes alone."""

    name: str
    currency: str
    records: int
    minutes: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Minutes:
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
class Ties:
    """One currency from charge to invoice, reversals netted; `documents` is the net of invoices that stand."""

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

    @property
    def unposted(self) -> Decimal:
        """Charged, and neither posted nor refused: on its way, or a defect."""
        return self.charged - self.posted - self.refused

    @property
    def unexplained(self) -> Decimal:
        """Charges on live invoices less the net of the documents: 0 or a defect."""
        return self.invoiced - self.documents


def figures(cursor: Asking) -> list[Figure]:
    """All sums as worked out last."""
    query = "SELECT name, currency, records, minutes, amount FROM hourstream.figures ORDER BY name, currency"
    return rows(cursor, Figure, query, {})


def minutes(found: list[Figure]) -> Minutes:
    """The statement of minutes."""
    of = {name: sum(each.minutes for each in found if each.name == name) for name in _MINUTES}
    return Minutes(of["approved"], of["charged"], of["parked"], of["waived"])


_MINUTES = ("approved", "charged", "parked", "waived")
_NONE = Figure("", "", 0, 0, Decimal(0))


def ties(found: list[Figure]) -> list[Ties]:
    """The statement of money, a row a currency."""
    by = {(each.name, each.currency): each for each in found}
    currencies = sorted({each.currency for each in found if each.name == "charged"})

    def of(name: str, currency: str) -> Figure:
        return by.get((name, currency), _NONE)

    return [
        Ties(
            currency,
            of("charged", currency).records,
            of("charged", currency).amount,
            of("posted", currency).records,
            of("posted", currency).amount,
            of("refused", currency).amount,
            of("invoiced", currency).records,
            of("invoiced", currency).amount,
            of("documents", currency).amount,
            of("open", currency).amount,
        )
        for currency in currencies
    ]
