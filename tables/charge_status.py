"""The history of each charge as a row of the lifecycle agent's state, and the changes that a batch of events makes.

An event may arrive before its charge: the row then waits without one, and nothing is published.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from common.timestamps import instant
from rating.charge_status import (
    ChargeHistory,
    ChargeStanding,
    InvoiceStatusEvent,
    PostingResult,
    cycle_times,
    progress,
    results_in_order,
    reversed_by,
    with_invoice_status,
    with_posting_result,
)
from streaming.state_tables import StateRows, StateTable
from tables.cycle_times import count_cycle
from tables.windows import Tally
from topics import state_keys, topic_names

STATES = topic_names.CHARGE_STATES
_CHARGE_FIELDS = ("subject", "reverses", "client_id", "legal_entity", "region", "period", "currency", "amount")


class TrackedCharge(msgspec.Struct, array_like=True, frozen=True):
    """What a state says of its charge; the names are those of `billing.ready`."""

    subject: str
    reverses: str | None
    client_id: str
    legal_entity: str
    region: str
    period: str
    currency: str
    amount: Decimal
    decided_ms: int


class ChargeHistoryRow(msgspec.Struct, array_like=True, frozen=True):
    """A charge (None until it arrives), its history, its published states (a count), and the steps already timed."""

    charge: TrackedCharge | None = None
    history: ChargeHistory = msgspec.field(default_factory=ChargeHistory)
    published: int = 0
    timed: tuple[str, ...] = ()


HISTORIES = StateTable(state_keys.HISTORIES, ChargeHistoryRow)  # (engagement, charge id)
_NOTHING = ChargeHistoryRow()
MOST_ANSWERS = 100  # of ERPs that a record shows: a charge has one or two


@dataclass(slots=True)
class _Changed:
    before: ChargeHistoryRow
    row: ChargeHistoryRow
    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class ChargeEvent:
    """A record about charges: its topic, value and append time."""

    topic: str
    value: Mapping[str, Any]
    timestamp_ms: int

    def charges(self) -> list[str]:
        """Ids of the charges it is about."""
        if self.topic == topic_names.INVOICE_STATUS:
            return list(self.value["charge_ids"])
        reverses = self.value.get("reverses")
        return [self.value["charge_id"], *([reverses] if reverses else [])]


@dataclass(slots=True)
class ChargeHistories:
    """The histories that a batch changes, over the rows of a partition."""

    state: StateRows
    tally: Tally
    _changed: dict[tuple[str, str], _Changed] = field(default_factory=dict)

    def apply(self, events: Sequence[ChargeEvent]) -> None:
        """Merge the events of a batch."""
        self.state.load(HISTORIES.key(each.value["engagement_id"], name) for each in events for name in each.charges())
        for each in events:
            match each.topic:
                case topic_names.BILLING_READY:
                    self._charge(each)
                case topic_names.ERP_POSTINGS:
                    self._posting_result(each)
                case topic_names.INVOICE_STATUS:
                    self._invoice_status(each)

    def _charge(self, event: ChargeEvent) -> None:
        value = event.value
        charge_id, reverses = value["charge_id"], value["reverses"]
        changed = self._of(event, charge_id)
        if changed.row.charge is None:
            told = {name: value[name] for name in _CHARGE_FIELDS}
            charge = TrackedCharge(**told, decided_ms=_ms(value["decided_at"]))
            changed.row = msgspec.structs.replace(changed.row, charge=charge)
        if reverses is not None:
            original = self._of(event, reverses)
            original.row = _with_history(original.row, reversed_by(original.row.history, charge_id))

    def _posting_result(self, event: ChargeEvent) -> None:
        value = event.value
        changed = self._of(event, value["charge_id"])
        result = PostingResult(
            revision=value["revision"],
            at_ms=_ms(value["at"]),
            system=value["system"],
            status=value["status"],
            reference=value["reference"],
            reason=value["reason"] or "",
        )
        changed.row = _with_history(changed.row, with_posting_result(changed.row.history, value["posting_id"], result))

    def _invoice_status(self, event: ChargeEvent) -> None:
        value = event.value
        status = InvoiceStatusEvent(revision=value["revision"], at_ms=_ms(value["at"]), status=value["status"])
        for charge_id in value["charge_ids"]:
            changed = self._of(event, charge_id)
            changed.row = _with_history(
                changed.row, with_invoice_status(changed.row.history, value["invoice_id"], status)
            )

    def _of(self, event: ChargeEvent, charge_id: str) -> _Changed:
        key = event.value["engagement_id"], charge_id
        changed = self._changed.get(key)
        if changed is None:
            row = HISTORIES.get(self.state, *key) or _NOTHING
            changed = self._changed[key] = _Changed(row, row)
        changed.now_ms = max(changed.now_ms, event.timestamp_ms)
        return changed

    def changes(self) -> Iterable[tuple[str, dict[str, object]]]:
        """(engagement, record of `charge.states`) of each charge whose state is another now; all rows are written."""
        for (engagement_id, charge_id), changed in self._changed.items():
            if changed.row is changed.before:
                continue
            before, after = _view(changed.before), _view(changed.row)
            row = changed.row
            if after is not None and after != before:
                timed = self._count(before, after, changed)
                row = msgspec.structs.replace(row, published=row.published + 1, timed=timed)
                yield engagement_id, _record(engagement_id, charge_id, row, after, changed.now_ms)
            self._count_unknown(changed)
            HISTORIES.put(self.state, row, engagement_id, charge_id)

    def _count(self, before: "View | None", after: "View", changed: _Changed) -> tuple[str, ...]:
        """Keep the live figures; -> the steps timed by now, each of a charge once."""
        for view, sign in ((before, -1), (after, 1)):
            if view is not None:
                self.tally.add(sign, "charges", view.progress.state)
                amount = int(view.charge.amount.scaleb(6))
                self.tally.add(sign * amount, "charge_amount", view.progress.state, view.charge.currency)
        if before is None or before.progress.state != after.progress.state:
            self.tally.count(after.progress.state, changed.now_ms)
        timed = changed.row.timed
        for step, ms in cycle_times(after.charge.decided_ms, after.progress).items():
            if step not in timed:
                timed = (*timed, step)
                count_cycle(self.tally, step, after.charge.region, ms, changed.now_ms)
        return timed

    def _count_unknown(self, changed: _Changed) -> None:
        """How many charges were answered or invoiced, but are not known (yet)."""
        for row, sign in ((changed.before, -1), (changed.row, 1)):
            if row is not _NOTHING and row.charge is None:
                self.tally.add(sign, "unknown_charges")


@dataclass(frozen=True, slots=True)
class View:
    """All that a state says of a charge, but for its number and time."""

    charge: TrackedCharge
    progress: ChargeStanding
    answers: tuple[PostingResult, ...]
    reversed_by: str | None


def _view(row: ChargeHistoryRow) -> View | None:
    if row.charge is None:
        return None
    answers = tuple(results_in_order(row.history.answers.values()))
    return View(row.charge, progress(row.history), answers, row.history.reversed_by)


def _with_history(row: ChargeHistoryRow, history: ChargeHistory) -> ChargeHistoryRow:
    return row if history is row.history else msgspec.structs.replace(row, history=history)


def _record(engagement_id: str, charge_id: str, row: ChargeHistoryRow, view: View, now_ms: int) -> dict[str, object]:
    charge, stands = view.charge, view.progress
    return {
        "charge_id": charge_id,
        "engagement_id": engagement_id,
        **{name: getattr(charge, name) for name in _CHARGE_FIELDS},
        "reversed_by": view.reversed_by,
        "state": stands.state,
        "decided_at": instant(charge.decided_ms),
        "posted_at": _instant(stands.posted_ms),
        "invoiced_at": _instant(stands.invoiced_ms),
        "sent_at": _instant(stands.sent_ms),
        "part_paid_at": _instant(stands.part_paid_ms),
        "disputed_at": _instant(stands.disputed_ms),
        "paid_at": _instant(stands.paid_ms),
        "voided_at": _instant(stands.voided_ms),
        "invoice_id": stands.invoice_id,
        "postings": [_posting(answer) for answer in view.answers[-MOST_ANSWERS:]],
        "revision": row.published,
        "changed_at": instant(now_ms),
    }


def _posting(answer: PostingResult) -> dict[str, object]:
    return {
        "system": answer.system,
        "status": answer.status,
        "reference": answer.reference,
        "reason": answer.reason or None,
        "at": instant(answer.at_ms),
    }


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else instant(ms)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
