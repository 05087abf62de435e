"""Collects the inputs of `hourstream reconcile` once: charges and subjects of topics and database."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from assurance.completeness import Completeness, completeness
from assurance.ledger_reader import Line, net_charge
from assurance.reconciliation import (
    NON_BILLABLE,
    NOT_YET_INVOICED,
    AccountKey,
    HeldPosting,
    Hours,
    ReconciledCharge,
    Tie,
    reconcile,
)
from assurance.sink_snapshot import SinkSnapshot, standing
from assurance.source_totals import Arrivals, day_of
from sinks.journal import JOURNAL
from sinks.routing_policy import Routes
from storage.postgres import Pool
from tables.settlement.bucket import approved_minutes

_READINGS = 3  # of a stream in motion: records under way in one reading have arrived by the next


@dataclass(frozen=True, slots=True)
class ReconciliationReport:
    """Both halves, of one reading."""

    sources: list[Completeness]
    ties: list[Tie]

    @property
    def holds(self) -> bool:
        """Whether a state explains every difference."""
        return all(tie.ties for tie in self.ties)


def reconciled(broker: str, pool: Pool, routes: Routes | None) -> ReconciliationReport:
    """The books read again, until they tie or have been read three times. Without routes the journal has everything."""
    for reading in range(_READINGS):
        if reading:
            time.sleep(1.0)
        held = standing(pool)  # before the topics: the sinks' positions tell which records they have not read yet
        found = _reconcile(Arrivals.read(broker), held, routes or Routes((JOURNAL,)))
        if found.holds:
            break
    return found


def _reconcile(books: Arrivals, held: SinkSnapshot, routes: Routes) -> ReconciliationReport:
    charged = list(_charged(books, held, routes))
    known = books.positions.keys()
    unknown = [
        (f"charge {charge_id}", system, holding.posted)
        for system, holdings in held.postings.items()
        for charge_id, holding in holdings.items()
        if charge_id not in known
    ]
    sources = completeness(books.totals, books.arrived(), books.waiting())
    return ReconciliationReport(sources, reconcile(_hours(books), charged, held.invoice_lines, unknown))


def _hours(books: Arrivals) -> Iterator[Hours]:
    """Every subject of time: its approved minutes, and where they are."""
    masters = books.all_masters()
    facts = {where: fact for where, fact in books.facts.items() if where[1].startswith("time:")}
    subjects = {where for where in (*books.charges, *books.exceptions) if where[1].startswith("time:")}
    for where in sorted({*facts, *subjects}):
        fact, exception = facts.get(where), books.exceptions.get(where)
        charge = net_charge(books.charges.get(where, ()))
        approved = approved_minutes(fact)
        held = int(str(exception["minutes"])) if exception and exception["status"] != "resolved" else 0
        if not (approved or held or charge):
            continue
        if charge is not None:
            account = _account(charge)
        else:
            engagement = masters.engagements.get(where[0])
            day = day_of(fact) if fact else None
            period = f"{day:%Y-%m}" if day else ""
            account = (
                AccountKey(engagement.client_id, period, engagement.currency)
                if engagement
                else AccountKey("", period, "")
            )
        yield Hours(
            name=f"{where[0]}/{where[1]}",
            account=account,
            approved=approved,
            charged=0 if charge is None else int(str(charge["worked_minutes"])),
            reason=None if charge is None else charge["reason"],  # type: ignore[arg-type]  # text or null
            held=held,
            why="" if exception is None else _why(exception),
        )


def _why(exception: Line) -> str:
    return f"{'waived' if exception['status'] == 'waived' else 'parked'} {exception['code']}"


def _account(charge: Line) -> AccountKey:
    return AccountKey(str(charge["client_id"]), str(charge["period"]), str(charge["currency"]))


def _charged(books: Arrivals, held: SinkSnapshot, routes: Routes) -> Iterator[ReconciledCharge]:
    """Every charge and reversal, with its state in each system."""
    elsewhere: dict[str, dict[str, Line]] = {}
    for posting in books.postings.values():
        if posting["system"] not in held.postings:
            elsewhere.setdefault(posting["charge_id"], {})[posting["system"]] = posting
    for records in books.charges.values():
        went: dict[object, tuple[str, ...]] = {}  # of the charges of a subject; a reversal goes where its charge went
        seen = set[str]()
        for record in records:
            charge_id, account = str(record["charge_id"]), _account(record)
            amount = Decimal(str(record["amount"]))
            if charge_id in seen:  # no posting is left for it, so it never ties
                name = f"charge {charge_id} of {record['engagement_id']}/{record['subject']}, published again,"
                yield ReconciledCharge(name, account, amount, (JOURNAL,), {}, NOT_YET_INVOICED)
                continue
            seen.add(charge_id)
            postings = _in_journals(charge_id, books, held)
            for system, posting in elsewhere.get(charge_id, {}).items():
                # Another system's amounts are not ours to read; that it has the charge is.
                postings[system] = HeldPosting(account, amount, str(posting["status"]))
            wanted = routes.targets_of(record) if record["reverses"] is None else went.get(record["reverses"], ())
            postings |= dict.fromkeys(
                set(wanted) - held.postings.keys() - postings.keys()
            )  # its answer has not arrived yet
            went[record["charge_id"]] = tuple(dict.fromkeys((*wanted, *(s for s, p in postings.items() if p))))
            yield ReconciledCharge(
                name=f"charge {charge_id} of {record['engagement_id']}/{record['subject']}",
                account=account,
                amount=amount,
                systems=went[record["charge_id"]],
                postings=postings,
                invoicing=_invoicing(record, held),
            )


def _in_journals(charge_id: str, books: Arrivals, held: SinkSnapshot) -> dict[str, HeldPosting | None]:
    partition, offset = books.positions[charge_id]
    found: dict[str, HeldPosting | None] = {}
    for system, holdings in held.postings.items():
        if (holding := holdings.get(charge_id)) is not None:
            found[system] = holding.posted
        elif offset >= held.read.get((system, partition), 0):
            found[system] = None
    return found


def _invoicing(record: Line, held: SinkSnapshot) -> str:
    if record["reason"] == "NON_BILLABLE":
        return NON_BILLABLE
    return held.invoicing.get(str(record["charge_id"]), NOT_YET_INVOICED)
