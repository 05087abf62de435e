"""`hourstream publish PATH`: checks a firm's data and publishes what it changes, in one transaction."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli.check import checked_firm, show
from cli.context import attached, console
from cli.nothing_runs import refuse_nothing_running
from cli.working_stack import WorkingStack, working_stack
from common.exit_codes import EXIT_REFUSED
from operations.firm.changes import Changes
from operations.firm.check import errors_of_firm
from operations.firm.effect import sentence
from operations.firm.export import present_masters
from operations.firm.known import Known
from operations.firm.session import By, Compared, FirmSession, needing_approval
from privacy.decrypt import reading
from privacy.open_vault import open_vault, publishing_vault
from settings import Settings
from sources.workbook.grids import Unreadable
from sources.workbook.write import FILE, write_workbook

_SHOWN = 20


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be published and charged; publish nothing.")
@click.option("--propose", "proposing", is_flag=True, help="Keep the changes for another person's approval.")
@click.option("--export", "exporting", is_flag=True, help="The other way: write the present masters to PATH.")
@click.option("--force", is_flag=True, help="With --export: overwrite a file that is there.")
@click.option("--reason", default="", help="Why; kept with every record. Needed with --propose.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who publishes.")
@click.option("--open-references", is_flag=True, help="Let references lead nowhere: their records come later.")
@click.option("--limit", default=_SHOWN, show_default=True, type=click.IntRange(0), help="Changed records to show.")
@click.option("--no-wait", is_flag=True, help="Return once the broker has the records.")
@click.option("--seconds", default=600.0, show_default=True, help="How long the workers may take.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def publish(
    path: Path,
    dry_run: bool,
    proposing: bool,
    exporting: bool,
    force: bool,
    reason: str,
    by: str,
    open_references: bool,
    limit: int,
    no_wait: bool,
    seconds: float,
    as_json: bool,
) -> None:
    """Publish what a workbook, CSV or JSON lines change: new records, and the next revision of those that differ.

    Everything goes in one transaction, and nothing where there is an error (exit status 1). Where no stack runs on this
    home, one is started for the time of the command. Records that are not in PATH stay as they are.
    """
    settings = Settings.load()
    if exporting:
        _export(path, settings, force)
        return
    if not path.exists():
        raise click.UsageError(f"{path} is not there: `hourstream init {path}` writes a sample firm")
    if proposing and not reason:
        raise click.UsageError("--propose needs --reason: the person who approves reads it")
    topics = _topics_without_errors(path)
    if dry_run:
        refuse_nothing_running()
    who = By(by, datetime.now(UTC), reason, path.name)
    with working_stack(settings) as working:
        session = FirmSession(working.broker, working.pool, publishing_vault(settings, working.pool))
        compared = session.compare(path, topics, open_references=open_references)
        if compared.checked.problems:
            show(compared.checked, path)
            raise click.exceptions.Exit(EXIT_REFUSED)
        if not as_json:
            _show_changes(compared, limit)
        if dry_run or proposing:
            _say_effect(session, compared.changes, who, proposing, as_json)
            return
        _refuse_unapproved(compared.changes, settings)
        published = session.publish(compared.changes, who)
        _tell(working, compared.changes, published, None if no_wait else seconds, as_json)


def _topics_without_errors(path: Path) -> set[str]:
    """The topics of the records. Errors that no record of a topic can mend are refused, before anything is started."""
    try:
        checked = errors_of_firm(path, Known(), open_references=True)
    except Unreadable as error:
        raise click.ClickException(str(error)) from error
    if checked.data.problems:
        show(checked_firm(path, open_references=False), path)
        raise click.exceptions.Exit(EXIT_REFUSED)
    return {each.topic for each in checked.records}


def _refuse_unapproved(changes: Changes, settings: Settings) -> None:
    try:
        held = needing_approval(changes, settings.approval_topics)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if held:
        raise click.ClickException(
            f"changes of {', '.join(held)} need a second person (HOURSTREAM_APPROVAL_TOPICS): publish with --propose"
        )


def _show_changes(compared: Compared, limit: int) -> None:
    changes = compared.changes
    _say(changes.summary)
    for change in changes.changed[:limit]:
        _say(f"  ~ {change.name} (revision {change.revision}): {'; '.join(map(str, change.fields))}")
    if len(changes.changed) > limit:
        _say(f"  and {len(changes.changed) - limit:,} more (--limit)")
    if changes.elsewhere:
        left = ", ".join(f"{count:,} of {topic}" for topic, count in sorted(changes.elsewhere.items()))
        _say(f"  not in the file, and left as they are: {left}")


def _say_effect(session: FirmSession, changes: Changes, who: By, proposing: bool, as_json: bool) -> None:
    effect = session.effect(changes, who.at)
    told: dict[str, Any] = {"summary": changes.summary, "effect": effect.as_json()}
    if not proposing or not changes.every:
        if as_json:
            click.echo(json.dumps(told, indent=2))
        else:
            _say(f"would publish {len(changes.every):,} records: {sentence(effect.as_json())}")
        return
    kept = session.propose(changes, effect, who)
    if as_json:
        click.echo(json.dumps({**told, "change_set_id": kept.change_set_id}, indent=2))
        return
    _say(f"change set {kept.change_set_id}: {sentence(kept.effect)}")
    _say(f"another person publishes it: hourstream proposals approve {kept.change_set_id} --by NAME")


def _tell(working: WorkingStack, changes: Changes, published: int, seconds: float | None, as_json: bool) -> None:
    rested = published > 0 and seconds is not None and working.rest(seconds)
    if as_json:
        click.echo(json.dumps({"summary": changes.summary, "published": published, "settled": rested}, indent=2))
        return
    _say(f"{published:,} records published" + (" and settled" if rested else ""))
    if published:
        _say("  hourstream exceptions list      # what is on hold, and why")
        _say("  hourstream invoice run --cut-off DAY --issue-date DAY --out DIR --pdf")


def _export(path: Path, settings: Settings, force: bool) -> None:
    refuse_nothing_running()
    target = path if path.suffix.lower() == ".xlsx" else path / FILE
    if target.exists() and not force:
        raise click.ClickException(f"{target} is there already; give another path, or --force to overwrite it")
    with attached(settings) as stack, open_vault(settings, stack.postgres_url) as vault:
        found = present_masters(stack.broker, reading(vault))
    write_workbook(target, found)
    _say(f"{sum(map(len, found.values())):,} masters in {target}")


def _say(line: str) -> None:
    console.print(line, soft_wrap=True)
