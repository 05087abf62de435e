"""`hourstream dead-letters`: records that no agent could use, why, and publishing them again."""

import getpass
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from cli.context import attached, console
from operations import dead_letters as letters
from operations.dead_letters import DeadLetter, find
from privacy.decrypt import Reading, readable, reading
from privacy.encrypt import sealing
from privacy.open_vault import open_to_publish, open_vault
from settings import Settings


@click.group("dead-letters")
def dead_letters() -> None:
    """Dead letters: list, show, republish."""


@dead_letters.command("list")
@click.option("--topic", help="Only of this topic, or file.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="The latest ones.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: a JSON line each.")
def list_(topic: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, newest first: where the record was, and what is wrong with it."""
    settings = Settings.load()
    with attached(settings) as stack, open_vault(settings, stack.postgres_url) as vault:
        look = reading(vault)
        every = [each for each in letters.dead_letters(stack.broker) if topic in (None, each.topic)]
        found = [_told(each, look) for each in sorted(every, key=lambda letter: -letter.at)[:limit]]
    if as_json:
        for each in found:
            click.echo(json.dumps(each, ensure_ascii=False))
        return
    for each in found:
        console.print(f"{each['at']}  {each['key']}  ({each['stage']})  {each['error']}", soft_wrap=True)
    if len(every) > limit:
        console.print(f"and {len(every) - limit:,} older ones (--limit)")


@dead_letters.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(key: str, as_json: bool) -> None:
    """One dead letter with its record: KEY as `list` prints it."""
    settings = Settings.load()
    with attached(settings) as stack, open_vault(settings, stack.postgres_url) as vault:
        look = reading(vault)
        letter = find(stack.broker, key)
        told = {**_told(letter, look), "headers": dict(_headers(letter, look)), "record": _read(letter.content(), look)}
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    table = Table(show_header=False)
    for name, content in told.items():
        shown = content if isinstance(content, str) else json.dumps(content, indent=1, ensure_ascii=False)
        table.add_row(name, shown)
    console.print(table)


@dead_letters.command()
@click.argument("key")
@click.option(
    "--value", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the corrected record in JSON form; without, the record as it is.",
)  # fmt: skip
@click.option("--reason", required=True, help="Why; kept with the record.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who publishes.")
def republish(key: str, file: Path | None, reason: str, by: str) -> None:
    """Publish the record of KEY again on its topic, held to its contract first. The letter stays."""
    settings = Settings.load()
    try:
        corrected = None if file is None else json.loads(file.read_bytes())
    except ValueError as error:
        raise click.ClickException(f"{file} is no JSON: {error}") from error
    with attached(settings) as stack, open_to_publish(settings, stack.postgres_url) as vault:
        letter = find(stack.broker, key)
        topic, own = letters.republish(stack.broker, letter, corrected, {"by": by, "reason": reason}, sealing(vault))
    console.print(f"{own} is on {topic} again", soft_wrap=True)


def _told(letter: DeadLetter, look: Reading | None) -> dict[str, str]:
    at = datetime.fromtimestamp(letter.at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    error = readable(look, str(letter.record["error"]))
    return {"key": letter.key, "at": at, "topic": letter.topic, "stage": str(letter.record["stage"]), "error": error}


def _headers(letter: DeadLetter, look: Reading | None) -> Iterator[tuple[str, str | None]]:
    for each in letter.record["headers"]:
        value: bytes | None = each["value"]
        yield each["key"], None if value is None else readable(look, value.decode(errors="backslashreplace"))


def _read(content: object, look: Reading | None) -> object:
    match content:
        case str():
            return readable(look, content)
        case dict():
            return {name: _read(each, look) for name, each in content.items()}
        case list():
            return [_read(each, look) for each in content]
        case _:
            return content
