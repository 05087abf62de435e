"""`hourstream trace [ENGAGEMENT/]SUBJECT`: the history of one subject, with every revision and offset.

Source record -> canonical revisions -> charges, reversals and exceptions -> posting -> invoice -> payment; and the
state of each charge with the time from step to step.
"""

import re
from dataclasses import asdict, replace
from datetime import timedelta

import click
from rich.table import Table

from cli.context import attached, console, print_json
from console.visibility import Rights, visible
from privacy.decrypt import Reading, readable, reading
from privacy.open_vault import vault_of
from rating.model.money import rounded_money
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from warehouse.topic_trace import TOPIC_OF, engagements_of, progress_of_charges
from warehouse.topic_trace import trace as steps_of
from warehouse.trace_steps import TraceStep


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
            steps = visible(steps_of(stack.broker, pool, engagement, name), settings)
            charges = visible(progress_of_charges(stack.broker, engagement, name), settings)
            print_json(
                {
                    "engagement": engagement,
                    "subject": name,
                    "steps": [_as_json(look, step) for step in steps],
                    "charges": [asdict(one) | {"seconds": one.seconds()} for one in charges],
                }
            )
        else:
            show_trace(stack.broker, pool, engagement, name, look, settings)


def _as_json(look: Reading | None, step: TraceStep) -> dict[str, object]:
    amount = None if step.amount is None else str(rounded_money(step.amount, str(step.currency)))
    return asdict(_read(look, step)) | {"at": _instant(step), "amount": amount}


def _read(look: Reading | None, step: TraceStep) -> TraceStep:
    """A step as the caller may read it."""
    return replace(step, what=readable(look, step.what))


def _instant(step: TraceStep) -> str:
    return step.at.isoformat(timespec="milliseconds")


def resolve(broker: str, given: str) -> tuple[str, str]:
    """(engagement, subject). An engagement named in front of a slash decides; else the one that knows the subject."""
    kind = given.partition(":")[0]
    if kind not in TOPIC_OF:
        for slash in re.finditer("/", given):
            engagement, subject = given[: slash.start()], given[slash.end() :]
            if subject.partition(":")[0] in TOPIC_OF:
                return engagement, subject
        raise click.ClickException(f"{given!r} is no subject: write {', '.join(k + ':ID' for k in TOPIC_OF)}")
    engagements = engagements_of(broker, given)
    if not engagements:
        raise click.ClickException(f"no revision of {given} is on {TOPIC_OF[kind]}")
    if len(engagements) > 1:
        names = ", ".join(f"{e}/{given}" for e in sorted(engagements))
        raise click.ClickException(f"several engagements have {given}: say which, {names}")
    return engagements.pop(), given


def show_trace(broker: str, pool: Pool, engagement: str, subject: str, look: Reading | None, rights: Rights) -> None:
    """The steps as a table."""
    table = Table("when (UTC)", "stage", "where", "what", title=f"{subject} of {engagement}", title_justify="left")
    for step in (_read(look, step) for step in visible(steps_of(broker, pool, engagement, subject), rights)):
        table.add_row(_instant(step).replace("+00:00", ""), step.stage, step.where, _with_amount(step))
    console.print(table)
    states = Table("charge", "amount", "state", "invoice", "posted after", "invoiced after", "paid after")
    for one in visible(progress_of_charges(broker, engagement, subject), rights):
        took = {step: str(timedelta(seconds=round(seconds))) for step, seconds in one.seconds().items()}
        state = (
            f"{one.state}, reversed" if one.reversed_by else f"{one.state}, a reversal" if one.reverses else one.state
        )
        times = (took.get(step, "") for step in ("posted", "invoiced", "paid"))
        states.add_row(one.charge_id[:8], one.amount, state, one.invoice_id or "", *times)
    console.print(states)


def _with_amount(step: TraceStep) -> str:
    """What happened, with the amount in front where the step is about it."""
    if step.amount is None or step.stage not in ("charge", "reversal", "payment"):
        return step.what
    return f"{rounded_money(step.amount, str(step.currency))} {step.currency}: {step.what}"
