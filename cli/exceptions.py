"""`hourstream exceptions`: lists exceptions with cause and remedy, and records decisions about them."""

import getpass
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.table import Table

from cli.context import attached, console, print_json
from cli.plain_console import shortened
from common.errors import InvalidRecord
from console.visibility import visible
from devstack.stack import Stack
from operations.code_suggestions import RecordNames
from operations.decisions import DECISIONS, Decision, Subject, Why, map_code, publish_decisions, refusal
from operations.source_reviews import OUTCOMES, Outcome, decide_duplicate, decide_source_record
from privacy.decrypt import Reading, readable, reading
from privacy.encrypt import Encryption, sealing
from privacy.open_vault import open_to_publish, open_vault
from schemas.json_codec import to_json
from settings import Settings
from sources.mapping.code_map import CODE, CODE_MAP, key_of
from sources.similarity import Suggestion, certain
from streaming.topic_reader import read_valid
from topics import topic_names

TOPIC, SOURCE = topic_names.BILLING_EXCEPTIONS, "command-line"
COLUMNS = ("engagement_id", "subject", "code", "severity", "minutes", "status", "message")
_MOST_LISTED = 200  # characters of a field in a list; `exceptions show` has the whole of it
Record = dict[str, object]


@click.group()
def exceptions() -> None:
    """Parked work: list, show, waive, retry; codes, and suggestions for them."""


@contextmanager
def _reading() -> Iterator[tuple[Stack, Reading | None]]:
    settings = Settings.load()
    with attached(settings) as stack, open_vault(settings, stack.postgres_url) as vault:
        yield stack, reading(vault)


def _read(look: Reading | None, value: Record) -> Record:
    """A record's texts as the caller may read them."""
    return {name: _read_part(look, part) for name, part in value.items()}


def _read_part(look: Reading | None, part: object) -> object:
    if isinstance(part, dict):
        return _read(look, part)
    return readable(look, part) if isinstance(part, str) else part


def open_exceptions(broker: str) -> dict[tuple[str, str], Record]:
    """{(engagement, subject): last record} of open and waived exceptions."""
    last: dict[tuple[str, str], Record] = {}
    for _, value in read_valid(broker, [TOPIC]):
        last[value["engagement_id"], value["subject"]] = value
    return {where: value for where, value in last.items() if value["status"] != "resolved"}


@exceptions.command("list")
@click.option("--code", help="Only this code.")
@click.option("--engagement", help="Only this engagement.")
@click.option("--each", is_flag=True, help="A line an exception, not one a cause.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: one object an exception.")
def list_(code: str | None, engagement: str | None, each: bool, as_json: bool) -> None:
    """List exceptions by cause: the missing fact, how much waits for it, and its owner."""
    with _reading() as (stack, look):
        found = [
            _read(look, visible(value, stack.settings))
            for (engagement_id, _), value in sorted(open_exceptions(stack.broker).items())
            if code in (None, value["code"]) and engagement in (None, engagement_id)
        ]
    if as_json:
        print_json([to_json(TOPIC, value) for value in found])
    elif each:
        table = Table(*COLUMNS)
        for value in found:
            table.add_row(*(shortened(str(_severe(value)[field]), _MOST_LISTED) for field in COLUMNS))
        console.print(table)
    else:
        console.print(_by_cause(found))


def _severe(value: Record) -> Record:
    """A record that says how severe it is, as older ones do not."""
    return {**value, "severity": value["severity"] or "blocking"}


def _by_cause(found: list[Record]) -> Table:
    groups: dict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for value in found:
        missing = value["missing"]
        what = f"{missing['kind']} {missing['id']}" if isinstance(missing, dict) else ""
        groups[str(value["code"]), str(_severe(value)["severity"]), what, str(value["status"])].append(value)
    table = Table("code", "severity", "missing", "status", "subjects", "minutes", "engagements", "first seen")
    by_minutes = sorted(groups.items(), key=lambda group: -sum(int(str(v["minutes"])) for v in group[1]))
    for (code, severity, what, status), values in by_minutes:
        table.add_row(
            code,
            severity,
            what,
            status,
            f"{len(values):,}",
            f"{sum(int(str(v['minutes'])) for v in values):,}",
            f"{len({v['engagement_id'] for v in values}):,}",
            str(min(str(v["first_seen"]) for v in values))[:19],
        )
    return table


@exceptions.command()
@click.argument("engagement")
@click.argument("subject")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(engagement: str, subject: str, as_json: bool) -> None:
    """One exception: ENGAGEMENT and SUBJECT as `exceptions list --each` prints them."""
    with _reading() as (stack, look):
        value = _standing(stack.broker, engagement, subject)
        key = _code_missing(value)
        found = [] if key is None else RecordNames(stack.broker, look).suggestions(key)
        record = _read(look, to_json(TOPIC, visible(value, stack.settings)))
    if as_json:
        print_json({**record, "suggestions": [asdict(each) for each in found]})
        return
    table = Table(show_header=False)
    for name, content in record.items():
        table.add_row(name, "" if content is None else str(content))
    for each in found:
        table.add_row("may mean", _said(each))
    console.print(table)
    if key is not None and found:
        _, *names = key.split(":", 2)
        accept = shlex.join(["hourstream", "exceptions", "map", key.split(":", 1)[0], *names, found[0].canonical_id])
        console.print(f"to map it: {accept} --reason …", soft_wrap=True)


@exceptions.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def codes(as_json: bool) -> None:
    """List unmapped codes, how much waits for each, and suggestions."""
    with _reading() as (stack, look):
        waiting = Counter(key for value in open_exceptions(stack.broker).values() if (key := _code_missing(value)))
        names = RecordNames(stack.broker, look) if waiting else None
        rows = [
            (readable(look, key), count, names.suggestions(key) if names else [])
            for key, count in waiting.most_common()
        ]
    if as_json:
        print_json(
            [
                {"code": key, "subjects": count, "suggestions": [asdict(each) for each in found]}
                for key, count, found in rows
            ]
        )
        return
    table = Table("system", "kind", "code", "subjects", "may mean")
    for key, count, found in rows:
        table.add_row(*key.split(":", 2), f"{count:,}", "; ".join(map(_said, found)))
    console.print(table)


def _said(suggestion: Suggestion) -> str:
    return f"{suggestion.canonical_id} ({suggestion.label}, {suggestion.score:g} of 100 alike)"


def _code_missing(value: Record) -> str | None:
    """The key of the code an open exception waits for, None where it is not one."""
    missing = value["missing"]
    if value["status"] != "open" or not isinstance(missing, dict) or missing["kind"] != CODE:
        return None
    return str(missing["id"])


def _standing(broker: str, engagement: str, subject: str) -> Record:
    value = open_exceptions(broker).get((engagement, subject))
    if value is None:
        raise click.ClickException(f"nothing is open for {subject} of {engagement}: see `hourstream exceptions list`")
    return value


@exceptions.command()
@click.argument("engagement")
@click.argument("subject")
@click.option("--reason", required=True, help="Why; kept for good.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who decides.")
def waive(engagement: str, subject: str, reason: str, by: str) -> None:
    """Give the subject up: no charge, its minutes counted as waived, until a new revision of it arrives."""
    _decide("waive", engagement, subject, reason, by)


@exceptions.command()
@click.argument("engagement")
@click.argument("subject")
@click.option("--reason", default="asked to settle again", show_default=True)
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who asks.")
def retry(engagement: str, subject: str, reason: str, by: str) -> None:
    """Have the subject settled again."""
    _decide("retry", engagement, subject, reason, by)


def _decide(decision: Decision, engagement: str, subject: str, reason: str, by: str) -> None:
    if (why := refusal(subject)) is not None:
        raise click.ClickException(why)
    with attached(Settings.load()) as stack:
        standing = _standing(stack.broker, engagement, subject)
        what = Subject(engagement, subject, int(str(standing["revision"])))
        publish_decisions(stack.broker, decision, [what], Why(by, reason, SOURCE))
    console.print(f"{decision} of {subject} of {engagement} is on {DECISIONS}; the settle worker acts on it")


@exceptions.command("decide")
@click.argument("subject")
@click.argument("outcome", type=click.Choice(OUTCOMES))
@click.option("--engagement", default="", help="The engagement of a `duplicate:` subject.")
@click.option("--reason", required=True, help="Why; kept for good.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who decides.")
def decide_(subject: str, outcome: Outcome, engagement: str, reason: str, by: str) -> None:
    """Settle a POSSIBLE_DUPLICATE or PROPOSED_CORRECTION in one act.

    correction: the later record counts and those it replaces are withdrawn. both: all count. duplicate: the later one
    does not count. Of a record that is gone from an export, both keeps it, and the others withdraw it.
    """
    with attached(Settings.load()) as stack:
        why, (kind, _, entry_id) = Why(by, reason, SOURCE), subject.partition(":")
        if kind == "duplicate":
            keys = decide_duplicate(stack.broker, engagement, entry_id, outcome, why)
        else:
            keys = decide_source_record(stack.broker, subject, outcome, why)
    console.print(
        f"{outcome} of {subject}: {len(keys)} records are published; intake or advisories act on them", soft_wrap=True
    )


@exceptions.command("map")
@click.argument("system")
@click.argument("kind")
@click.argument("code")
@click.argument("canonical_id", required=False)
@click.option("--accept", is_flag=True, help="Instead of CANONICAL_ID: the one record whose name is nearly the code.")
@click.option("--reason", required=True, help="Why; kept for good.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who decides.")
def map_(system: str, kind: str, code: str, canonical_id: str | None, accept: bool, reason: str, by: str) -> None:
    """Map a CODE of SYSTEM to an id here: records that wait for it as UNMAPPED_CODE are then mapped again.

    KIND is client, consultant, engagement, task or labor_category. A code that was mapped before gets its next
    revision.
    """
    if accept == (canonical_id is not None):
        raise click.UsageError("give CANONICAL_ID, or --accept to take the record whose name is nearly the code")
    if not (system and code and canonical_id != ""):
        raise click.UsageError("SYSTEM, CODE and CANONICAL_ID must not be empty")
    settings = Settings.load()
    with attached(settings) as stack, open_to_publish(settings, stack.postgres_url) as vault:
        sealed, look = sealing(vault), reading(vault)
        code = code if sealed is None else sealed.code(system, kind, code)
        if canonical_id is None:
            canonical_id = _accepted(stack.broker, look, key_of(system, kind, code))
        said = _map(stack.broker, sealed, (system, kind, code), canonical_id, Why(by, reason, SOURCE))
        console.print(readable(look, said), soft_wrap=True)


def _accepted(broker: str, look: Reading | None, key: str) -> str:
    """The id of the only clear suggestion for a code. Raises ClickException with the suggestions otherwise."""
    found = RecordNames(broker, look).suggestions(key)
    sure = certain(found)
    if sure is None:
        may = "; ".join(map(_said, found)) or "nothing here is called anything like it"
        raise click.ClickException(f"no name is so much like it that it can be accepted unseen: {may}")
    return sure.canonical_id


def _map(broker: str, sealed: Encryption | None, names: tuple[str, str, str], canonical_id: str, why: Why) -> str:
    """Publish the next revision of a code, unless it changes nothing; returns the message for the person."""
    waiting = _waiting_for(broker, key_of(*names))
    try:
        mapped = map_code(broker, *names, canonical_id, why, sealed)
    except InvalidRecord as wrong:
        raise click.UsageError(str(wrong)) from wrong
    if not mapped.new:
        return f"{mapped.key} is {canonical_id} already, in revision {mapped.revision}"
    on = f"{mapped.key} is {canonical_id} on {CODE_MAP}, revision {mapped.revision}"
    return f"{on}; open exceptions that wait for it: {waiting:,}"


def _waiting_for(broker: str, key: str) -> int:
    """The number of exceptions that are open because this code is not mapped."""
    missing = ((value["missing"], value["status"]) for value in open_exceptions(broker).values())
    return sum(
        isinstance(what, dict) and (what["kind"], what["id"], status) == (CODE, key, "open") for what, status in missing
    )
