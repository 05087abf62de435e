"""A batch of charges for a sink, and the outcome of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypedDict


class ChargeRecord(TypedDict):
    """The fields of a `billing.ready` record that sinks read by name; absent optional fields are None.

    A record has every field of `rating.model.charge.PublishedCharge`; a test holds the types here to those there.
    """

    charge_id: str
    reverses: str | None
    subject: str
    kind: str
    engagement_id: str
    client_id: str
    legal_entity: str
    consultant_id: str | None
    task_id: str | None
    labor_category: str | None
    work_date: date
    period: str
    worked_minutes: int
    billable_minutes: int
    rate: Decimal | None
    rate_unit: str | None
    multiplier: Decimal
    currency: str
    amount: Decimal
    reason: str | None
    tax_category: str | None
    tax_rate: Decimal | None
    components: Sequence[Mapping[str, object]]
    po_number: str | None
    region: str
    approved_by: str | None
    lineage: Mapping[str, object]
    decided_at: datetime
    derivation: str


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """A charge and where it was read; timestamp_ms is the record's append time."""

    offset: int
    timestamp_ms: int
    charge: ChargeRecord


@dataclass(frozen=True, slots=True)
class SinkBatch:
    """The charges of one partition at the offsets `start <= offset < end`, in their order.

    `end` is the next offset to read: beyond the last row where transaction markers or dead letters follow it, so a
    batch may have no rows at all. Raises ValueError for rows outside the range or out of order.
    """

    topic: str
    partition: int
    start: int
    end: int
    rows: Sequence[ChargeRow]
    dead_ms: Sequence[int] = ()  # append times of the records between that were dead letters: for the live figures

    def __post_init__(self) -> None:
        last = self.start - 1
        for row in self.rows:
            if row.offset <= last:
                raise ValueError(f"{self.topic}-{self.partition}: offset {row.offset} comes after {last}")
            last = row.offset
        if last >= self.end or self.end < self.start:
            raise ValueError(f"{self.topic}-{self.partition}: the batch ends at {self.end}, its rows at {last}")


Result = Literal["posted", "refused", "duplicate", "queued", "elsewhere", "dead"]


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """The outcome of one charge; `reason` explains a refusal. Queued: accepted, to be delivered later.

    Elsewhere: routes send it to other systems. Dead: the target cannot hold it, and it was set aside.
    """

    charge_id: str
    result: Result
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of a batch: one per row, in the order of the rows."""

    outcomes: tuple[WriteOutcome, ...]

    def count(self, result: Result) -> int:
        """The number of rows with that result."""
        return sum(outcome.result == result for outcome in self.outcomes)


def settle_outcomes(rows: Sequence[ChargeRow], written: Mapping[str, str | None], taken: Result = "posted") -> Written:
    """The outcome of each row, from the reason (None: `taken`) of each charge the target took up.

    A charge the target did not take up, or a second row of one it did, is a duplicate.
    """
    left = dict(written)
    outcomes = []
    for row in rows:
        charge_id = row.charge["charge_id"]
        if charge_id not in left:
            outcomes.append(WriteOutcome(charge_id, "duplicate"))
            continue
        reason = left.pop(charge_id)
        outcomes.append(WriteOutcome(charge_id, taken if reason is None else "refused", reason))
    return Written(tuple(outcomes))
