"""What finance looks at, folded from the topics: a small row an entry, charge, subject and exception, and sums of them.

A row changes only by a record it has not seen, so the order of topics changes nothing: a posting may arrive before
its charge. What a row gives to the sums is a function of the row alone (`sums_of_...`); a batch moves the difference.
Amounts are in millionths; minutes are those of DOMAIN.md.

A subject is *touched* when a person had to act on it or on what it waited for: it was parked, decided on, or its
minutes were adjusted. Minutes of touched subjects that reach the ERP are manual, all others touchless. Both only grow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from rating.unbilled_work import NEVER_INVOICED, is_unbilled
from streaming.state_tables import StateRows, StateTable
from tables.cycle_times import count_cycle
from tables.rollup_sums import Named, RollupSums
from tables.windows import Tally
from topics import state_keys, topic_names

APPROVAL = "submitted_to_approved"  # a step of `hourstream_cycle_seconds`


class EntryRollupRow(msgspec.Struct, array_like=True, frozen=True):
    """The winning revision of a time entry, and when it was first submitted and approved (epoch ms)."""

    revision: int = 0
    status: str = ""
    minutes: int = 0
    since: str = ""  # the day of the status
    submitted_ms: int | None = None
    approved_ms: int | None = None


class RollupCharge(msgspec.Struct, array_like=True, frozen=True):
    """What counts of a charge or reversal."""

    subject: str
    kind: str
    region: str
    currency: str
    amount: int
    day: str
    worked: int
    billable: int
    reversal: bool
    consultant: str
    non_billable: bool


class ChargeRollupRow(msgspec.Struct, array_like=True, frozen=True):
    """A charge (None until it arrives), whether an ERP has it, and how it stands with invoices."""

    charge: RollupCharge | None = None
    posted: bool = False
    revision: int = 0
    state: str = "ready"


class SubjectRow(msgspec.Struct, array_like=True, frozen=True):
    """Whether a person touched a subject, and its billable minutes that reached the ERP, reversals not deducted."""

    touched: bool = False
    posted: int = 0


class ExceptionRollupRow(msgspec.Struct, array_like=True, frozen=True):
    """An exception as last published; `since` is the minute of its first record's append time."""

    open: bool = False
    code: str = ""
    region: str = ""
    minutes: int = 0
    amount: int | None = None
    since: int = 0
    warning: bool = False


ENTRIES = StateTable(state_keys.ENTRIES, EntryRollupRow)  # (engagement, entry)
CHARGES = StateTable(state_keys.CHARGES, ChargeRollupRow)  # (engagement, charge)
SUBJECTS = StateTable(state_keys.SUBJECTS, SubjectRow)  # (engagement, subject)
EXCEPTIONS = StateTable(state_keys.EXCEPTIONS, ExceptionRollupRow)  # (engagement, subject)
Row = TypeVar("Row")


def sums_of_entry(engagement: str, row: EntryRollupRow) -> dict[Named, int]:
    """Submitted time waits for its approval."""
    if row.status != "submitted":
        return {}
    return {("backlog_entries", engagement, row.since): 1, ("backlog_minutes", engagement, row.since): row.minutes}


def sums_of_charge(row: ChargeRollupRow) -> dict[Named, int]:
    """Amounts ready, not posted and not invoiced; hours of people by week."""
    charge = row.charge
    if charge is None:
        return {}
    found: dict[Named, int] = {("ready_amount", charge.currency): charge.amount, ("ready_charges",): 1}
    if not row.posted:
        found["unposted_amount", charge.currency] = charge.amount
        found["unposted_charges",] = 1
    if is_unbilled(row.state, NEVER_INVOICED if charge.non_billable else None):
        found["unbilled_amount", charge.region, charge.currency, charge.day] = charge.amount
        found["unbilled_minutes", charge.region, charge.day] = charge.billable
    if charge.kind == "time" and charge.consultant:
        day = date.fromisoformat(charge.day)
        monday = day - timedelta(days=day.weekday())
        work = "non_billable" if charge.non_billable else "billable"
        found["worked", monday.isoformat(), charge.consultant, work] = charge.worked
    return found


def sums_of_exception(engagement: str, row: ExceptionRollupRow) -> dict[Named, int]:
    """What is parked now, and what is only warned of."""
    if not row.open:
        return {}
    if row.warning:
        return {("warnings", row.code): 1}
    found: dict[Named, int] = {
        ("exceptions", engagement, row.code, row.region): 1,
        ("exception_minutes", engagement, row.code, row.region): row.minutes,
        ("exception_since", row.code, row.region, f"{row.since:010d}"): 1,
    }
    if row.amount is not None:
        found["exception_amount", engagement, row.code, row.region] = row.amount
    return found


@dataclass(slots=True)
class Overview:
    """One batch's work on the rows of a partition. `load`, then `take` each record, then `write`."""

    state: StateRows
    tally: Tally
    sums: RollupSums = field(default_factory=RollupSums)

    def load(self, said: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Fetch the rows of a batch in one go."""
        self.state.load(key for topic, value in said for key in _keys(topic, value))

    def take(self, topic: str, value: Mapping[str, Any], now_ms: int) -> None:
        """One record of a topic; `now_ms` is its append time."""
        match topic:
            case topic_names.TIME_ENTRIES:
                self._entry(value, now_ms)
            case topic_names.BILLING_READY:
                self._charge(value, now_ms)
            case topic_names.ERP_POSTINGS:
                self._answer(value, now_ms)
            case topic_names.CHARGE_STATES:
                self._stands(value)
            case topic_names.BILLING_EXCEPTIONS:
                self._exception(value, now_ms)
            case topic_names.EXCEPTION_DECISIONS:
                self._touch(value["engagement_id"], value["subject"], now_ms)
            case topic_names.ADJUSTMENTS if value["kind"] == "minutes" and value["subject"]:
                self._touch(value["engagement_id"], value["subject"], now_ms)

    def write(self) -> None:
        """Put the sums into the state; the rows are there already."""
        self.sums.write(self.state)

    def _entry(self, value: Mapping[str, Any], now_ms: int) -> None:
        key, status = (value["engagement_id"], value["entry_id"]), value["status"]
        before = ENTRIES.get(self.state, *key) or EntryRollupRow()
        at = _ms(value["occurred_at"])
        after = before
        if status == "submitted":
            after = msgspec.structs.replace(after, submitted_ms=_least(before.submitted_ms, at))
        elif status == "approved":
            after = msgspec.structs.replace(after, approved_ms=_least(before.approved_ms, at))
        if value["revision"] > before.revision:
            after = msgspec.structs.replace(
                after,
                revision=value["revision"],
                status=status,
                minutes=value["minutes"],
                since=value["occurred_at"].date().isoformat(),
            )
        if _took(before) is None and (took := _took(after)) is not None:
            count_cycle(self.tally, APPROVAL, "", took, now_ms)
        self.tally.add(1, "entries", value["source"], status)
        if after != before:
            ENTRIES.put(self.state, after, *key)
            self.sums.move(sums_of_entry(key[0], before), sums_of_entry(key[0], after))

    def _charge(self, value: Mapping[str, Any], now_ms: int) -> None:
        key, charge = (value["engagement_id"], value["charge_id"]), _charged(value)
        self._change_charge(key, now_ms, charge=charge)

    def _answer(self, value: Mapping[str, Any], now_ms: int) -> None:
        self.tally.add(1, "answers", value["system"], value["status"])
        self.tally.count(f"answer {value['status']}", now_ms)
        if value["status"] == "posted":
            self._change_charge((value["engagement_id"], value["charge_id"]), now_ms, posted=True)

    def _stands(self, value: Mapping[str, Any]) -> None:
        key = value["engagement_id"], value["charge_id"]
        before = CHARGES.get(self.state, *key) or ChargeRollupRow()
        if value["revision"] > before.revision:
            self._change_charge(key, 0, revision=value["revision"], state=value["state"])

    def _change_charge(self, key: tuple[str, str], now_ms: int, **changed: object) -> None:
        before = CHARGES.get(self.state, *key) or ChargeRollupRow()
        after = msgspec.structs.replace(before, **changed)
        if after == before:
            return
        CHARGES.put(self.state, after, *key)
        self.sums.move(sums_of_charge(before), sums_of_charge(after))
        if after.charge is not None and after.posted and not (before.charge is not None and before.posted):
            self._reached_the_erp(key[0], after.charge, now_ms)

    def _reached_the_erp(self, engagement: str, charge: RollupCharge, now_ms: int) -> None:
        if charge.reversal or charge.billable <= 0:
            return
        row = SUBJECTS.get(self.state, engagement, charge.subject) or SubjectRow()
        row = msgspec.structs.replace(row, posted=row.posted + charge.billable)
        SUBJECTS.put(self.state, row, engagement, charge.subject)
        self._count_minutes("posted_minutes", charge.billable, now_ms)
        if row.touched:
            self._count_minutes("manual_minutes", charge.billable, now_ms)

    def _touch(self, engagement: str, subject: str, now_ms: int) -> None:
        row = SUBJECTS.get(self.state, engagement, subject) or SubjectRow()
        if not row.touched:
            SUBJECTS.put(self.state, msgspec.structs.replace(row, touched=True), engagement, subject)
            self._count_minutes("manual_minutes", row.posted, now_ms)

    def _count_minutes(self, name: str, minutes: int, now_ms: int) -> None:
        self.tally.add(minutes, name)
        self.tally.count(name, now_ms, minutes)

    def _exception(self, value: Mapping[str, Any], now_ms: int) -> None:
        key = value["engagement_id"], value["subject"]
        before = EXCEPTIONS.get(self.state, *key) or ExceptionRollupRow()
        after = ExceptionRollupRow(
            value["status"] == "open",
            value["code"],
            value["region"],
            value["minutes"],
            None if value["amount_at_stake"] is None else _micros(value["amount_at_stake"]),
            _ms(value["first_seen"]) // 60_000,
            value["severity"] == "warning",
        )
        self.tally.add(1, "exception_records", value["code"], value["status"])
        if after != before:
            EXCEPTIONS.put(self.state, after, *key)
            self.sums.move(sums_of_exception(key[0], before), sums_of_exception(key[0], after))
        if not after.warning:
            self._touch(*key, now_ms)


def _keys(topic: str, value: Mapping[str, Any]) -> list[bytes]:
    engagement = value["engagement_id"]
    match topic:
        case topic_names.TIME_ENTRIES:
            return [ENTRIES.key(engagement, value["entry_id"])]
        case topic_names.BILLING_READY | topic_names.CHARGE_STATES:
            return [CHARGES.key(engagement, value["charge_id"]), SUBJECTS.key(engagement, value["subject"])]
        case topic_names.ERP_POSTINGS:
            return [CHARGES.key(engagement, value["charge_id"])]
        case topic_names.BILLING_EXCEPTIONS:
            return [EXCEPTIONS.key(engagement, value["subject"]), SUBJECTS.key(engagement, value["subject"])]
        case _:
            return [SUBJECTS.key(engagement, value["subject"] or "")]


def _charged(value: Mapping[str, Any]) -> RollupCharge:
    return RollupCharge(
        subject=value["subject"],
        kind=value["kind"],
        region=value["region"],
        currency=value["currency"],
        amount=_micros(value["amount"]),
        day=value["work_date"].isoformat(),
        worked=value["worked_minutes"],
        billable=value["billable_minutes"],
        reversal=value["reverses"] is not None,
        consultant=value["consultant_id"] or "",
        non_billable=value["reason"] == NEVER_INVOICED,
    )


def _took(row: EntryRollupRow) -> int | None:
    """Milliseconds from the first submission to the first approval, where both are known."""
    if row.submitted_ms is None or row.approved_ms is None:
        return None
    return max(row.approved_ms - row.submitted_ms, 0)


def _least(before: int | None, at: int) -> int:
    return at if before is None else min(before, at)


def _micros(amount: Decimal) -> int:
    return int(amount.scaleb(6))


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
