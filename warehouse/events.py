"""The warehouse's input topics, and the row of each record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

EXCEPTIONS, CHARGES, POSTINGS, STATUSES = "billing.exceptions", "billing.ready", "erp.postings", "invoice.status"
DECISIONS, TIME = "exception.decisions", "time.entries"
FACTS = {
    TIME: ("time", "entry_id"),
    "expenses": ("expense", "expense_id"),
    "milestones": ("milestone", "milestone_id"),
    "outcomes": ("outcome", "outcome_id"),
    "adjustments": ("adjustment", "adjustment_id"),
    "billing.periods": ("fee", "period"),
}
TOPICS = (EXCEPTIONS, CHARGES, POSTINGS, STATUSES, DECISIONS, *FACTS)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record as decoded, and where it was read; `source` is the source record it says it was made from."""

    topic: str
    partition: int
    offset: int
    appended_at: datetime
    value: Mapping[str, object]
    source: str | None

    def text(self, field: str) -> str:
        """A field that is a string, '' for none."""
        value = self.value[field]
        return "" if value is None else str(value)


def history_of(arrival: Arrival) -> tuple[str, str, str] | None:
    """(subject, stage, text of the event) of a record that belongs to a subject's timeline."""
    if arrival.topic in FACTS:
        kind, field = FACTS[arrival.topic]
        return f"{kind}:{arrival.text(field)}", "fact", _fact_words(arrival)
    if arrival.topic == DECISIONS:
        words = f"{arrival.text('decision')} by {arrival.text('by')}: {arrival.text('reason')}"
        return arrival.text("subject"), "decision", words
    if arrival.topic == EXCEPTIONS:
        words = f"{arrival.text('status')} {arrival.text('code')}: {arrival.text('message')}"
        return arrival.text("subject"), "exception", words
    return None


def _fact_words(arrival: Arrival) -> str:
    value = arrival.value
    words = f"revision {value['revision']}, {value['status']}"
    match arrival.topic:
        case "time.entries":
            category = value["labor_category"] or "no labor category of its own"
            by = f", approved by {value['approved_by']}" if value["approved_by"] else ""
            where = f"{value['task_id']}, {value['consultant_id']}, {category}"
            return f"{words}: {value['minutes']} min on {value['work_date']}, {where}{by}"
        case "expenses":
            return f"{words}: {value['amount']} {value['currency']} {value['category']} on {value['incurred_on']}"
        case "outcomes":
            return f"{words}: {value['quantity']} {value['metric']} on {value['achieved_on']}"
        case "adjustments":
            return f"{words}: {value['kind']} on {value['effective_on']}, {value['reason']}"
        case _:
            return words


def flow_of(arrival: Arrival) -> str:
    """The category of the record in the figures of throughput."""
    match arrival.topic:
        case "billing.exceptions":
            again = arrival.value["status"] == "open" and arrival.value["attempts"] != 1
            return "exceptions open again" if again else f"exceptions {arrival.text('status')}"
        case "billing.ready":
            return "charges" if arrival.value["reverses"] is None else "reversals"
        case "erp.postings":
            return f"postings {arrival.text('status')}"
        case "invoice.status":
            return f"invoices {arrival.text('status')}"
        case "time.entries":
            return f"entries {arrival.text('status')}"
        case "exception.decisions":
            return "decisions"
        case _:
            return "other facts"


def exception_row(arrival: Arrival) -> tuple[object, ...]:
    """The row of `hourstream.exceptions`, in the order of `EXCEPTION_COLUMNS`."""
    value = arrival.value
    missing = cast(Mapping[str, object], value["missing"] or {"kind": "", "id": "", "day": None})
    return (
        value["exception_id"], value["engagement_id"], value["subject"], value["revision"], value["code"],
        value["message"], missing["kind"], missing["id"], missing["day"], value["amount_at_stake"], value["minutes"],
        value["status"], value["first_seen"], value["attempts"], value["owner"], value["region"], arrival.appended_at,
        arrival.partition, arrival.offset,
    )  # fmt: skip


def time_row(arrival: Arrival) -> tuple[object, ...]:
    """The row of `hourstream.time_entries`, in the order of its columns."""
    value = arrival.value
    return (
        value["engagement_id"], value["entry_id"], value["revision"], value["status"], value["task_id"],
        value["consultant_id"], value["labor_category"], value["work_date"], value["minutes"], value["billable"],
        value["approved_by"], arrival.appended_at, arrival.partition, arrival.offset,
    )  # fmt: skip


def status_row(arrival: Arrival) -> tuple[object, ...]:
    """The row of `hourstream.invoice_statuses`, in the order of its columns."""
    value = arrival.value
    return (
        arrival.topic, arrival.partition, arrival.offset, value["invoice_id"], value["engagement_id"], value["status"],
        value["revision"], value["amount"], value["currency"], value["at"],
    )  # fmt: skip
