"""What becomes of our invoices in Tryton, as events of `source.billing.statuses`: states and payments, each told once.

Tryton is asked for what was written since the last look, a little overlapped, for a transaction that began earlier may
commit later. The cursor holds what was told of that stretch, so the overlap repeats nothing; an event that is told
again all the same (the cursor was lost) has the same id, and is a duplicate to every reader.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypedDict

from billing.money import plain
from sinks.database import instant_text
from sinks.erp.tryton.client import Tryton
from sinks.erp.tryton.wire import Row

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(minutes=10)  # longer than Tryton lets a transaction of ours run
_PAGE = 200  # invoices a request
_FIELDS = (
    "number",
    "state",
    "company.party.hourstream_id",
    "currency.code",
    "total_amount",
    "payment_lines",
    "reconciliation_lines",
    "write_date",
)


class PaymentRecord(TypedDict):
    """Money received for an invoice; below zero: given back."""

    amount: Decimal
    currency: str
    reference: str


class StatusRecord(TypedDict):
    """A record of `source.billing.statuses` as the codec encodes it; its key is `SYSTEM:INVOICE`."""

    system: str
    invoice: str
    event_id: str
    reference: str | None
    status: str | None
    payment: PaymentRecord | None
    charge_ids: Sequence[str]
    amount: Decimal | None
    currency: str | None
    at: datetime
    revision: int


def key_of(record: StatusRecord) -> str:
    """The record's key on `source.billing.statuses`."""
    return f"{record['system']}:{record['invoice']}"


def json_of(record: StatusRecord) -> dict[str, object]:
    """The record in its JSON form."""
    payment, amount = record["payment"], record["amount"]
    return {
        **record,
        "payment": None if payment is None else {**payment, "amount": plain(payment["amount"])},
        "charge_ids": list(record["charge_ids"]),
        "amount": None if amount is None else plain(amount),
        "at": instant_text(record["at"]),
    }


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of one invoice: its state then, and its payments by Tryton's line."""

    state: str | None = None
    payments: frozenset[int] = frozenset()
    written: datetime = BEGINNING


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far was looked, and what was told of invoices that may still change or are looked at again."""

    until: datetime = BEGINNING
    told: dict[int, Told] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """For a table or a file."""
        told = {
            str(id_): {"state": each.state, "payments": sorted(each.payments), "written": each.written.isoformat()}
            for id_, each in self.told.items()
        }
        return {"until": self.until.isoformat(), "told": told}

    @classmethod
    def from_json(cls, found: dict[str, object]) -> "Cursor":
        """What `as_json` gave."""
        rows = found["told"]
        told = {
            int(id_): Told(each["state"], frozenset(each["payments"]), datetime.fromisoformat(each["written"]))
            for id_, each in (rows.items() if isinstance(rows, dict) else ())
        }
        return cls(datetime.fromisoformat(str(found["until"])), told)


class TrytonStates:
    """The states of invoices that bill charges of ours; `system` is the name on the events."""

    def __init__(self, tryton: Tryton, system: str) -> None:
        self._tryton, self._system = tryton, system

    def look(self, cursor: Cursor) -> tuple[list[StatusRecord], Cursor]:
        """What is new since `cursor`, in the order Tryton numbered the invoices, and the next cursor.

        Keep the cursor only once the events are published. Raises Refused, TargetUnavailable.
        """
        domain = [
            ["hourstream_account", "!=", None],
            ["number", "!=", None],
            ["state", "in", ["posted", "paid", "cancelled"]],
            ["write_date", ">=", cursor.until - OVERLAP],
        ]
        found = self._tryton.search("account.invoice", domain, _FIELDS, order=[("id", "ASC")])
        events, told = list[StatusRecord](), dict(cursor.told)
        for at in range(0, len(found), _PAGE):
            page = [row for row in found[at : at + _PAGE] if _has_news(row, told.get(int(row["id"]), Told()))]
            charges, payments = self._charges(page), self._payments(page)
            for row in page:
                id_ = int(row["id"])
                events += self._events(row, told.get(id_, Told()), charges[id_], payments)
                told[id_] = Told(row["state"], frozenset(_payment_lines(row)), row["write_date"])
        until = max((row["write_date"] for row in found), default=cursor.until)
        settled = {id_ for id_, each in told.items() if each.state != "posted" and each.written < until - 2 * OVERLAP}
        return events, Cursor(max(until, cursor.until), {id_: e for id_, e in told.items() if id_ not in settled})

    def _events(
        self, row: Row, told: Told, charge_ids: Sequence[str], payments: dict[int, Row]
    ) -> Iterable[StatusRecord]:
        def event(id_: str, at: datetime, revision: int = 1) -> StatusRecord:
            return StatusRecord(
                system=self._system,
                invoice=_number(row),
                event_id=id_,
                reference=None,
                status=None,
                payment=None,
                charge_ids=charge_ids,
                amount=row["total_amount"],
                currency=row["currency."]["code"],
                at=at,
                revision=revision,
            )

        now = set(_payment_lines(row))
        if row["state"] != told.state:
            said = event(f"{row['id']}:{row['state']}:{row['write_date'].isoformat()}", row["write_date"])
            yield {**said, "status": row["state"]}
        for line in sorted(now - told.payments):
            yield {**event(f"payment:{line}", payments[line]["create_date"]), "payment": _payment(row, payments[line])}
        for line in sorted(told.payments - now):  # taken back there: it never was one
            nothing = PaymentRecord(amount=Decimal(0), currency=row["currency."]["code"], reference=f"line {line}")
            yield {**event(f"payment:{line}", row["write_date"], revision=2), "payment": nothing}

    def _charges(self, page: Sequence[Row]) -> dict[int, list[str]]:
        ids = [int(row["id"]) for row in page]
        found = self._tryton.search(
            "hourstream.charge", [["line.invoice", "in", ids]], ["charge_id", "line.invoice"], order=[("id", "ASC")]
        )
        charges = defaultdict[int, list[str]](list)
        for row in found:
            charges[int(row["line."]["invoice"])].append(row["charge_id"])
        return charges

    def _payments(self, page: Sequence[Row]) -> dict[int, Row]:
        lines = sorted({line for row in page for line in _payment_lines(row)})
        if not lines:
            return {}
        fields = ("debit", "credit", "amount_second_currency", "move.description", "create_date")
        found = self._tryton.search("account.move.line", [["id", "in", lines]], fields)
        return {int(row["id"]): row for row in found}


def _has_news(row: Row, told: Told) -> bool:
    return row["state"] != told.state or frozenset(_payment_lines(row)) != told.payments


def _payment_lines(row: Row) -> set[int]:
    """While an invoice is open its payments are in one list, once they cover it in the other."""
    return {int(line) for name in ("payment_lines", "reconciliation_lines") for line in row[name] or ()}


def _payment(row: Row, line: Row) -> PaymentRecord:
    foreign = line["amount_second_currency"]
    amount = line["credit"] - line["debit"] if foreign is None else -foreign
    said = (line["move."] or {}).get("description")
    return PaymentRecord(amount=amount, currency=row["currency."]["code"], reference=said or f"line {line['id']}")


def _number(row: Row) -> str:
    """Numbers are a company's own, so the company is named with it."""
    entity = row["company."]["party."]["hourstream_id"] or ""
    return f"{str(entity).removeprefix('legal-entity:')}/{row['number']}"
