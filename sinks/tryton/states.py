"""States and payments of our invoices in Tryton as events of `source.billing.statuses`, each reported once.

A poll asks for everything written since the last poll, with some overlap, because an earlier transaction may commit
later. The cursor lists the events already reported of that interval. If the cursor is lost, events repeat with the same
ids, and every reader recognises the duplicates.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sinks.delivery.status_source import PaymentRecord, StatusRecord
from sinks.tryton.client import TrytonClient
from sinks.tryton.wire import Row

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(minutes=10)  # longer than Tryton allows for one of our transactions
_PAGE = 200  # invoices a request
_MOST = 1000  # events per poll, except for those of its last page
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


@dataclass(frozen=True, slots=True)
class AnnouncedInvoice:
    """The last report of one invoice: its state, and its payments by Tryton's line."""

    state: str | None = None
    payments: frozenset[int] = frozenset()
    written: datetime = BEGINNING


@dataclass(frozen=True, slots=True)
class StateCursor:
    """The end of the last poll, and the reports of invoices that may still change or are polled again."""

    until: datetime = BEGINNING
    told: dict[int, AnnouncedInvoice] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """For a table or a file."""
        told = {
            str(id_): {"state": each.state, "payments": sorted(each.payments), "written": each.written.isoformat()}
            for id_, each in self.told.items()
        }
        return {"until": self.until.isoformat(), "told": told}

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> "StateCursor":
        """The inverse of `as_json`."""
        rows = found["told"]
        told = {
            int(id_): AnnouncedInvoice(
                each["state"], frozenset(each["payments"]), datetime.fromisoformat(each["written"])
            )
            for id_, each in (rows.items() if isinstance(rows, dict) else ())
        }
        return cls(datetime.fromisoformat(str(found["until"])), told)


class TrytonStates:
    """The states of invoices that bill our charges; `system` is the name on the events."""

    def __init__(self, tryton: TrytonClient, system: str) -> None:
        self._tryton, self._system = tryton, system

    def look(self, cursor: StateCursor) -> tuple[list[StatusRecord], StateCursor, bool]:
        """New events since `cursor`, in the order of Tryton's invoice ids; the next cursor; whether there is more.

        Keep the cursor only together with the events. Raises Refused, TargetUnavailable.
        """
        events, told, until = list[StatusRecord](), dict(cursor.told), cursor.until
        for rows in self._written_since(cursor.until - OVERLAP):
            if len(events) >= _MOST:
                # Reported events are kept and skipped by the next poll, which begins where this one did.
                return events, StateCursor(cursor.until, told), True
            page = [row for row in rows if _has_news(row, told.get(int(row["id"]), AnnouncedInvoice()))]
            charges, payments = self._charges(page), self._payments(page)
            for row in page:
                id_ = int(row["id"])
                events += self._events(row, told.get(id_, AnnouncedInvoice()), charges[id_], payments)
                told[id_] = AnnouncedInvoice(
                    row["state"], _paid_by(row, told.get(id_, AnnouncedInvoice())), row["write_date"]
                )
            until = max((until, *(row["write_date"] for row in rows)))
        settled = {id_ for id_, each in told.items() if each.state != "posted" and each.written < until - 2 * OVERLAP}
        return events, StateCursor(until, {id_: e for id_, e in told.items() if id_ not in settled}), False

    def _written_since(self, instant: datetime) -> Iterator[list[Row]]:
        """Our numbered invoices, a page at a time."""
        domain = [
            ["hourstream_account", "!=", None],
            ["number", "!=", None],
            ["state", "in", ["posted", "paid", "cancelled"]],
            ["write_date", ">=", instant],
        ]
        after = 0
        while True:
            page = [*domain, ["id", ">", after]]
            rows = self._tryton.search("account.invoice", page, _FIELDS, _PAGE, order=[("id", "ASC")])
            if rows:
                yield rows
            if len(rows) < _PAGE:
                return
            after = int(rows[-1]["id"])

    def _events(
        self, row: Row, told: AnnouncedInvoice, charge_ids: Sequence[str], payments: dict[int, Row]
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

        now = _paid_by(row, told)
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


def _has_news(row: Row, told: AnnouncedInvoice) -> bool:
    return row["state"] != told.state or _paid_by(row, told) != told.payments


def _paid_by(row: Row, told: AnnouncedInvoice) -> frozenset[int]:
    """Lines that pay an invoice; lines that balance a cancelled one are no payment, and its reported payments stay."""
    return told.payments if row["state"] == "cancelled" else frozenset(_payment_lines(row))


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
