"""The invariants of DOMAIN §5, each with its figures and a verdict.

Statements 6 to 8 check in detail what 2 and 3 demand: the expected records of each topic are computed again, and each
is there once.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

from assurance.announced_rows import AnnouncedRows, posting_faults, rows, status_faults, unposted
from assurance.ledger_reader import Books, Line, approved_minutes
from assurance.posted_charges import Holdings, holdings
from assurance.publications import doubled, out_of_order
from common.decimals import plain
from sinks.journal import JOURNAL
from sinks.routing_policy import Routes
from storage.postgres import Pool
from warehouse.reports import client_totals

_READINGS = 3  # of a stream in motion


@dataclass(frozen=True, slots=True)
class Statement:
    """One invariant: its text, its figures, whether it holds."""

    number: int
    says: str
    figures: dict[str, object]
    holds: bool


def statements(books: Books, pool: Pool | None, routes: Routes | None = None) -> list[Statement]:
    """All invariants, from topics read again and the sinks' database (None: only those that Kafka alone can show).

    Without routes the journal has every charge.
    """
    found = [_minutes(books), _money(books)]
    held = holdings(pool) if pool is not None else Holdings((), ())
    found += [_postings(books, held), _reversals(books), _published_once(books), _said_once(books)]
    if pool is not None:
        found += [_erp_and_invoices(pool), _announced_as_held(books, rows(pool), routes or Routes((JOURNAL,)))]
    return sorted(found, key=lambda s: s.number)


def _published_once(books: Books) -> Statement:
    again, astray = list(doubled(books.charges.values())), list(out_of_order(books.charges))
    figures: dict[str, object] = {"subjects": len(books.charges), "published_again": again[:20], "astray": astray[:20]}
    says = "each charge is on billing.ready once; those of a subject follow each other as settle publishes them"
    return Statement(6, says, figures, not again and not astray)


def _said_once(books: Books) -> Statement:
    faults = list(books.announced.faults(books.positions))
    figures: dict[str, object] = {topic: len(said) for topic, said in sorted(books.announced.said.items())}
    figures |= {"repeated_by_the_outbox": books.announced.repeated, "faults": len(faults), "examples": faults[:20]}
    says = "each state of a posting, document, charge and exception is announced once, and none is left out"
    return Statement(7, says, figures, not faults)


def _announced_as_held(books: Books, held: AnnouncedRows, routes: Routes) -> Statement:
    charges = (record for records in books.charges.values() for record in records)
    faults = [
        *unposted(held, routes, charges, books.positions),
        *posting_faults(held, books.announced),
        *status_faults(held, books.announced),
    ]
    figures: dict[str, object] = {
        "postings": len(held.postings),
        "documents": len(held.documents),
        "not_announced_yet": len(held.unsent),
        "faults": len(faults),
        "examples": faults[:20],
    }
    says = "a journal has posted each charge that it has read; postings and documents are as they were announced"
    return Statement(8, says, figures, not faults)


def _minutes(books: Books) -> Statement:
    lines: dict[str, list[Line]] = {}
    for line in books.ledger():
        lines.setdefault(str(line["engagement_id"]), []).append(line)
    engagements, wrong = books.engagements(), []
    totals = Counter[str]()
    for engagement_id in sorted({*engagements, *lines}):
        approved = approved_minutes(engagements.get(engagement_id, ()))
        by_state = Counter[str]()
        for line in lines.get(engagement_id, ()):
            by_state[str(line["state"])] += int(str(line["worked_minutes"]))
        if approved != sum(by_state.values()):
            wrong.append(engagement_id)
        totals.update(by_state, approved=approved)
    figures: dict[str, object] = {name: totals[name] for name in ("approved", "charged", "parked", "waived")}
    figures["residue"] = totals["approved"] - totals["charged"] - totals["parked"] - totals["waived"]
    figures["engagements_off"] = wrong[:20]
    says = "approved worked minutes = minutes charged + parked + waived, per engagement and in total"
    return Statement(1, says, figures, not wrong)


def _money(books: Books) -> Statement:
    published = {(line["engagement_id"], line["subject"]): line for line in books.ledger()}
    expected = {(line["engagement_id"], line["subject"]): line for line in books.expected()}
    off = [
        {"engagement_id": e, "subject": s, "published": published.get((e, s)), "expected": expected.get((e, s))}
        for e, s in sorted({*published, *expected}, key=str)
        if published.get((e, s)) != expected.get((e, s))
    ]
    sums: dict[str, Decimal] = {}
    for records in books.charges.values():
        for record in records:
            currency = str(record["currency"])
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(str(record["amount"]))
    figures: dict[str, object] = {
        "subjects": len(expected),
        "subjects_off": len(off),
        "examples": off[:5],
        "sum_by_currency": {currency: plain(total) for currency, total in sorted(sums.items())},
    }
    says = "billing.ready, summed per subject, is what settle says of the facts read again from Kafka"
    return Statement(2, says, figures, not off)


def _postings(books: Books, held: Holdings) -> Statement:
    charges = {record["charge_id"] for records in books.charges.values() for record in records}
    posted_twice = [f"{charge} in {system}" for (system, charge), n in Counter(held.posted).items() if n > 1]
    invoiced_twice = [charge for charge, n in Counter(held.invoiced).items() if n > 1]
    unknown = sorted({*(charge for _, charge in held.posted), *held.invoiced, *held.delivered} - charges)
    figures: dict[str, object] = {
        "charges": len(charges),
        "postings": len(held.posted),
        "invoiced": len(held.invoiced),
        "delivered": len(held.delivered),
        "posted_twice": posted_twice[:20],
        "invoiced_twice": invoiced_twice[:20],
        "unknown": unknown[:20],
    }
    says = "each charge is posted at most once in a system; what is posted, invoiced or delivered is in billing.ready"
    return Statement(3, says, figures, not posted_twice and not invoiced_twice and not unknown)


def _reversals(books: Books) -> Statement:
    records = [record for each in books.charges.values() for record in each]
    charges = {r["charge_id"] for r in records if r["reverses"] is None}
    reversed_ = Counter(r["reverses"] for r in records if r["reverses"] is not None)
    twice = [charge for charge, n in reversed_.items() if n > 1]
    unknown = [charge for charge in reversed_ if charge not in charges]
    figures = {"reversals": reversed_.total(), "reversed_twice": twice[:20], "reverses_unknown": unknown[:20]}
    return Statement(4, "each reversal names a charge, once", dict(figures), not twice and not unknown)


def _erp_and_invoices(pool: Pool) -> Statement:
    rows = client_totals(pool)
    off = [f"{row.client_id} {row.currency}" for row in rows if row.posted != row.invoiced + row.open]
    figures: dict[str, object] = {
        currency: {
            "posted": plain(sum((row.posted for row in rows if row.currency == currency), Decimal(0))),
            "invoiced": plain(sum((row.invoiced for row in rows if row.currency == currency), Decimal(0))),
            "open": plain(sum((row.open for row in rows if row.currency == currency), Decimal(0))),
        }
        for currency in sorted({row.currency for row in rows})
    }
    says = "ERP lines = invoice lines + what is not invoiced yet, per client and currency"
    return Statement(5, says, figures | {"clients_off": off}, not off)


def as_json(found: Sequence[Statement]) -> dict[str, object]:
    """The content of `audit.json`."""
    return {"all_true": all(s.holds for s in found), "statements": [asdict(s) for s in found]}


def settled_statements(broker: str, pool: Pool, routes: Routes | None) -> list[Statement]:
    """The statements; of a stream in motion once more, for what was under way has arrived by then."""
    for reading in range(_READINGS):
        if reading:
            time.sleep(1.0)
        found = statements(Books.read(broker), pool, routes)
        if all(statement.holds for statement in found):
            break
    return found
