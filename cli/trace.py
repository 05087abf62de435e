"""`hourstream trace [ENGAGEMENT/]SUBJECT`: the history of one subject, with every revision and offset.

Source record -> canonical revisions -> charges, reversals and exceptions -> posting -> invoice -> payment; and the
state of each charge with the time from step to step.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import click
from rich.table import Table

from cli.context import attached, console, print_json
from common.decimals import plain
from common.errors import InvalidRecord
from common.timestamps import instant
from console.visibility import Rights, visible
from privacy.decrypt import Reading, readable, reading
from privacy.open_vault import vault_of
from rating.model.facts import fact, subjects_of
from rating.model.money import rounded_money
from schemas.errors import Undecodable
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.batch import Record
from streaming.topic_reader import partitions_of, read_one, read_partitions
from topics import topic_names
from topics.catalogue import TOPICS
from topics.records import decoded, header_text
from warehouse.reports import ChargeStep, SaidOfInvoice, said_of_invoices, steps_of_subject

_POSITION = re.compile(r"([a-z._-]+):([0-9]{1,9}):([0-9]{1,18})")
_TOPIC_OF = {
    "time": topic_names.TIME_ENTRIES,
    "expense": topic_names.EXPENSES,
    "milestone": topic_names.MILESTONES,
    "outcome": topic_names.OUTCOMES,
    "adjustment": topic_names.ADJUSTMENTS,
    "fee": topic_names.BILLING_PERIODS,
    "minimum": topic_names.BILLING_PERIODS,
}
STATES = topic_names.CHARGE_STATES
FOLLOWED = (
    topic_names.EXCEPTION_DECISIONS,
    topic_names.BILLING_READY,
    topic_names.BILLING_EXCEPTIONS,
    topic_names.ERP_POSTINGS,
    topic_names.INVOICE_STATUS,
)


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One thing that happened to the subject: when (append time), where (topic, partition, offset), what."""

    at: str
    stage: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class ChargeProgress:
    """The state of a charge, with the instant of each step; null for a step not reached."""

    charge_id: str
    state: str
    amount: str
    reverses: str | None
    reversed_by: str | None
    invoice_id: str | None
    decided_at: datetime
    posted_at: datetime | None
    invoiced_at: datetime | None
    paid_at: datetime | None

    def seconds(self) -> dict[str, float]:
        """{step: seconds it took}, of the steps that are done."""
        ends = {"posted": self.posted_at, "invoiced": self.invoiced_at, "paid": self.paid_at}
        found, before = dict[str, float](), self.decided_at
        for step, at in ends.items():
            if at is not None:
                found[step], before = max((at - before).total_seconds(), 0.0), at
        return found


@click.command()
@click.argument("subject")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def trace(subject: str, as_json: bool) -> None:
    """Trace SUBJECT, such as `time:48:2015-03-30`, or `ENGAGEMENT/SUBJECT` where several engagements have one."""
    settings = Settings.load()
    with attached(settings) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        look = reading(vault_of(settings, pool))
        engagement, name = resolve(stack.broker, subject)
        if as_json:
            told = visible(steps(stack.broker, pool, engagement, name), settings)
            found = [asdict(_read(look, step)) for step in told]
            charges = visible(standings(stack.broker, engagement, name), settings)
            stand = [asdict(one) | {"seconds": one.seconds()} for one in charges]
            print_json({"engagement": engagement, "subject": name, "steps": found, "charges": stand})
        else:
            show_trace(stack.broker, pool, engagement, name, look, settings)


def _read(look: Reading | None, step: TimelineStep) -> TimelineStep:
    """A step as the caller may read it."""
    return replace(step, what=readable(look, step.what))


def resolve(broker: str, given: str) -> tuple[str, str]:
    """(engagement, subject). An engagement named in front of a slash decides; else the one that knows the subject."""
    kind = given.partition(":")[0]
    if kind not in _TOPIC_OF:
        for slash in re.finditer("/", given):
            engagement, subject = given[: slash.start()], given[slash.end() :]
            if subject.partition(":")[0] in _TOPIC_OF:
                return engagement, subject
        raise click.ClickException(f"{given!r} is no subject: write {', '.join(k + ':ID' for k in _TOPIC_OF)}")
    topic, engagements = _TOPIC_OF[kind], set[str]()
    for record in read_partitions(broker, partitions_of(broker, [topic])):
        value = _decoded(record)
        if value is not None and given in subjects_of(fact(topic, value)):
            engagements.add(str(value["engagement_id"]))
    if not engagements:
        raise click.ClickException(f"no revision of {given} is on {topic}")
    if len(engagements) > 1:
        names = ", ".join(f"{e}/{given}" for e in sorted(engagements))
        raise click.ClickException(f"several engagements have {given}: say which, {names}")
    return engagements.pop(), given


def steps(broker: str, pool: Pool, engagement: str, subject: str) -> list[TimelineStep]:
    """Everything that happened to the subject, source record first."""
    topic = _TOPIC_OF[subject.partition(":")[0]]
    found: list[TimelineStep] = []
    charges = {step.charge_id: step for step in steps_of_subject(pool, engagement, subject)}
    sources: dict[str, TimelineStep] = {}
    for record in _of_engagement(broker, engagement, (topic, *FOLLOWED)):
        value = _decoded(record)
        if value is None:
            continue
        if record.topic == topic and subject in subjects_of(fact(topic, value)):
            if source := _source(broker, record):
                sources.setdefault(source.where, source)
            found.append(_step(record, "fact", _fact_words(value)))
        elif record.topic in FOLLOWED and (words := _words(record.topic, value, subject, charges)):
            found.append(_step(record, *words))
    found += [_said(one) for one in said_of_invoices(pool, engagement, subject)]
    invoiced = [
        TimelineStep(
            str(c.issue_date), "invoice", f"{c.invoice_id}", f"charge {c.charge_id[:8]} is on it, {c.invoice_status}"
        )
        for c in charges.values()
        if c.invoice_id is not None
    ]
    return [*sources.values(), *sorted(found, key=lambda step: step.at), *invoiced]


def _said(said: SaidOfInvoice) -> TimelineStep:
    """A status or payment that a billing system reported for an invoice."""
    words = [f"{said.system} of {said.document}:", said.status or ""]
    if said.payment is not None:
        words.append(f"{plain(said.payment)} {said.payment_currency} ({said.payment_reference})")
    if said.problem is not None:
        words.append(f"not taken in: {said.problem}")
    words.append(f"on {said.at:%Y-%m-%d %H:%M:%S}")
    at = said.appended_at.isoformat(timespec="milliseconds")
    stage = "said" if said.payment is None else "payment"
    return TimelineStep(
        at, stage, f"{said.topic}[{said.partition}]@{said.record_offset}", " ".join(filter(None, words))
    )


def standings(broker: str, engagement: str, subject: str) -> list[ChargeProgress]:
    """The last published state of each charge of the subject, in the order of decision."""
    last: dict[str, ChargeProgress] = {}
    for record in _of_engagement(broker, engagement, (STATES,)):
        value = _decoded(record)
        if value is not None and value["subject"] == subject:
            told: dict[str, Any] = {name: value[name] for name in ChargeProgress.__dataclass_fields__}
            amount = rounded_money(Decimal(str(value["amount"])), str(value["currency"]))
            last[str(value["charge_id"])] = ChargeProgress(**told | {"amount": f"{amount} {value['currency']}"})
    return list(last.values())


def _of_engagement(broker: str, engagement: str, topics: Iterable[str]) -> Iterable[Record]:
    """Records of the engagement: all its records share one partition number, so the others end quickly."""
    wanted = partitions_of(broker, tuple(topics))
    return (r for r in read_partitions(broker, wanted) if r.key == engagement.encode())


def _decoded(record: Record) -> dict[str, object] | None:
    try:
        return decoded(record)
    except (Undecodable, InvalidRecord):
        return None


def _step(record: Record, stage: str, what: str) -> TimelineStep:
    at = instant(record.timestamp_ms).isoformat(timespec="milliseconds")
    return TimelineStep(at, stage, f"{record.topic}[{record.partition}]@{record.offset}", what)


def _source(broker: str, record: Record) -> TimelineStep | None:
    """The source record that a canonical revision says it was made from."""
    position = _POSITION.fullmatch(header_text(record, "source.position") or "")
    if position is None or position[1] not in TOPICS:
        return None
    found = read_one(broker, position[1], int(position[2]), int(position[3]))
    if found is None:
        return None
    value = _decoded(found) or {}
    shown = ", ".join(f"{name} {content}" for name, content in value.items() if content not in (None, "", []))
    return _step(found, "source", f"{header_text(record, 'source.record') or ''}{from_file(found)}: {shown}")


def from_file(record: Record) -> str:
    """The file and line of a source record, for one that came in a file."""
    name = header_text(record, "file.name")
    return "" if name is None else f" (line {header_text(record, 'file.line')} of {name})"


def _fact_words(value: dict[str, object]) -> str:
    if "minutes" in value and "work_date" in value:
        return (
            f"revision {value['revision']}, {value['status']}: {value['minutes']} min on {value['work_date']}, "
            f"{value['task_id']}, {value['consultant_id']}, {value['labor_category'] or 'no labor category'}"
        )
    return f"revision {value['revision']}, {value['status']}"


def _words(
    topic: str, value: dict[str, object], subject: str, charges: dict[str, ChargeStep]
) -> tuple[str, str] | None:
    """(stage, what) of a record that concerns the subject, None for one that does not."""
    if topic == topic_names.ERP_POSTINGS:
        if value["charge_id"] not in charges:
            return None
        period = f"in {value['posting_period']}" if value["posting_period"] else ""
        words = (value["system"], value["status"], value["reference"], period, value["reason"])
        return "posting", " ".join(str(word) for word in words if word)
    if topic == topic_names.INVOICE_STATUS:
        ids = value["charge_ids"]
        mine = [c for c in charges if isinstance(ids, list) and c in ids]
        return ("status", f"{value['invoice_id']} {value['status']}") if mine else None
    if value["subject"] != subject:
        return None
    if topic == topic_names.EXCEPTION_DECISIONS:
        return "decision", f"{value['decision']} by {value['by']}: {value['reason']}"
    if topic == topic_names.BILLING_EXCEPTIONS:
        return "exception", f"{value['status']} {value['code']}: {value['message']}"
    what = "reversal" if value["reverses"] else "charge"
    amount = rounded_money(Decimal(str(value["amount"])), str(value["currency"]))
    return what, f"{amount} {value['currency']}: {value['derivation']}"


def show_trace(broker: str, pool: Pool, engagement: str, subject: str, look: Reading | None, rights: Rights) -> None:
    """The steps as a table."""
    table = Table("when (UTC)", "stage", "where", "what", title=f"{subject} of {engagement}", title_justify="left")
    for step in (_read(look, step) for step in visible(steps(broker, pool, engagement, subject), rights)):
        table.add_row(step.at.replace("+00:00", ""), step.stage, step.where, step.what)
    console.print(table)
    stand = Table("charge", "amount", "state", "invoice", "posted after", "invoiced after", "paid after")
    for one in visible(standings(broker, engagement, subject), rights):
        took = {step: str(timedelta(seconds=round(seconds))) for step, seconds in one.seconds().items()}
        state = (
            f"{one.state}, reversed" if one.reversed_by else f"{one.state}, a reversal" if one.reverses else one.state
        )
        times = (took.get(step, "") for step in ("posted", "invoiced", "paid"))
        stand.add_row(one.charge_id[:8], one.amount, state, one.invoice_id or "", *times)
    console.print(stand)
