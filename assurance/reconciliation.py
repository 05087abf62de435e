"""The four-way tie: hours = charges = invoices = journal, per client, month and currency (DOMAIN.md §5).

The state of each item explains the differences of the four. A difference without a state is a residue, and a defect. It
is computed charge by charge and subject by subject, so that two errors never cancel out.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeAlias

BILLED = "billed"
NOT_YET_POSTED, REFUSED = "not yet posted", "refused"
NOT_YET_INVOICED, VOIDED, NETTED, NON_BILLABLE = "not yet invoiced", "voided", "netted", "non billable"
_NOTHING = Decimal(0)


class AccountKey(NamedTuple):
    """Client, month (YYYY-MM) and currency; client and currency are empty if unknown."""

    client_id: str
    period: str
    currency: str


@dataclass(frozen=True, slots=True)
class Hours:
    """An approved entry (or one that should not count, with 0 minutes) and the place of its minutes.

    `charged` by the present charge (`reason` as on it), `held` by its exception, `why` being its status and code.
    """

    name: str
    account: AccountKey
    approved: int
    charged: int = 0
    reason: str | None = None
    held: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class HeldPosting:
    """A system of record's entry for a charge."""

    account: AccountKey
    amount: Decimal
    status: str  # posted, refused


@dataclass(frozen=True, slots=True)
class ReconciledCharge:
    """A record of `billing.ready` and its state in each system.

    `systems` are its destinations. `postings` has the systems that hold it, and None for those that have yet to read
    it. `invoicing` is on_invoice, or the reason why it is on none.
    """

    name: str
    account: AccountKey
    amount: Decimal
    systems: tuple[str, ...]
    postings: Mapping[str, HeldPosting | None]
    invoicing: str


@dataclass(slots=True)
class Tie:
    """One account. `minutes` and `invoicing` by state; `journal` by system: posted, and the rest by reason.

    Residues: approved minutes without a state; amounts by system; amounts on invoices without an invoice line. `off`
    names the subjects and charges behind them, each even where they cancel out.
    """

    account: AccountKey
    approved: int = 0
    minutes: Counter[str] = field(default_factory=Counter)
    charges: Decimal = _NOTHING
    journal: dict[str, dict[str, Decimal]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))
    invoicing: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    invoices: Decimal = _NOTHING
    hours_residue: int = 0
    journal_residue: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    invoice_residue: Decimal = _NOTHING
    off: list[str] = field(default_factory=list)

    @property
    def ties(self) -> bool:
        """Whether a state explains every difference."""
        return not (self.off or self.hours_residue or self.invoice_residue or any(self.journal_residue.values()))


TieOf: TypeAlias = Callable[[AccountKey], Tie]


def reconcile(
    hours: Iterable[Hours],
    charges: Iterable[ReconciledCharge],
    invoice_lines: Mapping[AccountKey, Decimal],
    unknown: Iterable[tuple[str, str, HeldPosting]] = (),
) -> list[Tie]:
    """Every account, in order. `invoice_lines` are the net amounts of live invoices; `unknown` the entries of systems
    (name, system, posting) for charges that were never decided.
    """
    ties: dict[AccountKey, Tie] = {}

    def tie(account: AccountKey) -> Tie:
        return ties.setdefault(account, Tie(account))

    for hour in hours:
        _tie_hours(tie(hour.account), hour)
    for charge in charges:
        _tie_charge(tie(charge.account), charge, tie)
    for name, system, posted in unknown:
        if posted.status == "posted":
            _book(tie(posted.account), system, posted.amount, name)
    for account, net in invoice_lines.items():
        tie(account).invoices += net
    for each in ties.values():
        each.invoice_residue = each.charges - each.invoices - sum(each.invoicing.values(), _NOTHING)
    return [ties[account] for account in sorted(ties)]


def _tie_hours(tie: Tie, hour: Hours) -> None:
    tie.approved += hour.approved
    if hour.charged:
        tie.minutes[(hour.reason or BILLED).lower().replace("_", " ")] += hour.charged
    if hour.held:
        tie.minutes[hour.why] += hour.held
    left = hour.approved - hour.charged - hour.held
    tie.hours_residue += left
    if left:
        tie.off.append(hour.name)


def _tie_charge(tie: Tie, charge: ReconciledCharge, tie_of: TieOf) -> None:
    tie.charges += charge.amount
    if charge.invoicing != "on_invoice":
        tie.invoicing[charge.invoicing] += charge.amount
    for system in charge.systems:
        held = charge.postings.get(system)
        if held is not None and held.status == "posted":
            if held.account == charge.account and held.amount == charge.amount:
                tie.journal[system]["posted"] += held.amount
            else:
                tie.journal_residue[system] += charge.amount
                tie.off.append(charge.name)
                _book(tie_of(held.account), system, held.amount, charge.name)
        elif held is not None:
            tie.journal[system][REFUSED] += charge.amount
        elif system in charge.postings:
            tie.journal[system][NOT_YET_POSTED] += charge.amount
        else:
            tie.journal_residue[system] += charge.amount
            tie.off.append(charge.name)


def _book(tie: Tie, system: str, amount: Decimal, name: str) -> None:
    """A system holds an amount here that it should not."""
    tie.journal[system]["posted"] += amount
    tie.journal_residue[system] -= amount
    if name not in tie.off[-1:]:
        tie.off.append(name)
