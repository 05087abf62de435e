"""`hourstream sources`: lists the sources and dry-runs a file; neither needs a broker."""

from collections import Counter
from pathlib import Path

import click
from rich.table import Table

from cli.context import console, print_json
from cli.plain_console import plain, styled
from sources.files.conventions import Order
from sources.files.doubts import doubts
from sources.files.parse import Taken, take
from sources.mapping import catalogue
from sources.mapping.errors import NotRecognised
from topics import topic_names

_CODES = 30  # shown at most
ORDERS = click.Choice(["day-first", "month-first"])


@click.group()
def sources() -> None:
    """Upstream systems: list them, and dry-run a file."""


@sources.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(as_json: bool) -> None:
    """List every source: its entities, the forms of file, and the canonical records made of them."""
    rows = [
        {
            "source": mapping.system,
            "entity": entity.name,
            "topic": entity.topic,
            "file": entity.file.format if entity.file else None,
            "webhook": entity.webhook is not None,
            "makes": [publication.topic for publication in entity.publish],
        }
        for mapping in map(catalogue.load, catalogue.names())
        for entity in mapping.entities.values()
        if entity.topic.startswith("source.")
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("source", "entity", "file", "webhook", "makes")
    for row in rows:
        makes = ", ".join(str(topic) for topic in row["makes"]) if isinstance(row["makes"], list) else ""
        table.add_row(
            str(row["source"]), str(row["entity"]), str(row["file"] or ""), "signed" if row["webhook"] else "", makes
        )
    console.print(table)


@sources.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", help="Read it as this source; without, the one that knows its columns is found.")
@click.option("--dates", type=ORDERS, help="Which of day and month is first, where the file does not decide.")
@click.option("--bad", "shown", default=10, show_default=True, help="How many bad rows to show.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def check(file: Path, source: str | None, dates: Order | None, shown: int, as_json: bool) -> None:
    """Dry-run FILE as a source: columns mapped and not, codes to map, and bad rows with reasons.

    Nothing is published. Exit status 1 if a row is bad.
    """
    taken = taken_of(file, source, dates)
    if as_json:
        print_json(as_summary(taken))
    else:
        print_taken(taken, shown)
    if taken.bad:
        raise SystemExit(1)


def taken_of(file: Path, source: str | None, dates: Order | None = None) -> Taken:
    """The content of a file, read as a source, or as the one that recognises it. Raises NotRecognised."""
    data = file.read_bytes()
    if source is not None:
        return take(catalogue.load(source), file.name, data, dates=dates)
    refusals: list[NotRecognised] = []
    fitting: list[Taken] = []
    for mapping in map(catalogue.load, catalogue.names()):
        try:
            fitting.append(take(mapping, file.name, data, dates=dates))
        except NotRecognised as refusal:
            refusals.append(refusal)
    if not fitting:
        nearest = min(refusals, key=lambda refusal: refusal.lacking)
        raise NotRecognised(f"no source knows {file}. Nearest: {nearest}", nearest.lacking)
    return max(fitting, key=lambda taken: len(taken.mapped))


def as_summary(taken: Taken) -> dict[str, object]:
    """For scripts: everything `show` says, every bad row included."""
    return {
        "file": taken.name,
        "source": taken.system,
        "entities": taken.entities,
        "rows": taken.read,
        "good": taken.good,
        "joined": taken.joined,
        "bad": [{"line": bad.line, "why": bad.why} for bad in taken.bad],
        "blank": taken.blank,
        "left_out": [{"line": line, "why": why} for line, why in taken.left_out],
        "readings": taken.readings,
        "doubts": list(doubts(taken)),
        "makes": made_of(taken),
        "mapped": taken.mapped,
        "unmapped": taken.unmapped,
        "codes": taken.codes,
        "waiting": taken.waiting,
    }


def made_of(taken: Taken) -> dict[str, dict[str, int]]:
    """{topic: {records, minutes}} of the records that the good rows would become."""
    last = {(made.topic, made.source_record, made.key): made for made in taken.made}
    records = Counter(topic for topic, _, _ in last)
    minutes: Counter[str] = Counter()
    for (topic, _, _), made in last.items():
        minutes[topic] += int(made.record.get("minutes", 0))
    return {topic: {"records": records[topic], "minutes": minutes[topic]} for topic in sorted(records)}


def print_taken(taken: Taken, shown: int) -> None:
    """The same for a person."""
    kinds = " and ".join(taken.entities)
    name, system = styled(taken.name, "bold"), styled(taken.system, "bold")
    console.print(name + f" is read as {kinds} of " + system, soft_wrap=True)
    joined = f", {taken.joined:,} more belong to one before" if taken.joined else ""
    console.print(f"rows: {taken.read:,}; good: {taken.good:,}{joined}; bad: {len(taken.bad):,}")
    if taken.left_out:
        for why, count in Counter(why for _, why in taken.left_out).items():
            console.print(f"  {count:,} more are left out: {plain(why)}")
    for reading in taken.readings:
        console.print(f"  read as {plain(reading)}", soft_wrap=True)
    for topic, counts in made_of(taken).items():
        minutes = f", {counts['minutes']:,} minutes" if topic == topic_names.TIME_ENTRIES else ""
        console.print(f"  would make {counts['records']:,} of {topic}{minutes}")
    for entity, count in sorted(taken.waiting.items()):
        console.print(f"  {count:,} wait for their {entity}, which are not in this file")
    table = Table("column", "read as")
    for header, readers in taken.mapped.items():
        table.add_row(header, ", ".join(readers))
    for header in taken.unmapped:
        table.add_row(styled(header, "dim"), styled("not mapped; kept with the row as it came", "dim"))
    console.print(table)
    _show_codes(taken)
    for doubt in doubts(taken):
        console.print(styled("note: ", "yellow") + plain(doubt), soft_wrap=True)
    for bad in taken.bad[:shown]:
        console.print(styled(f"{taken.name}:{bad.line}", "red") + f": {plain(bad.why)}", soft_wrap=True)
    if len(taken.bad) > shown:
        console.print(f"and {len(taken.bad) - shown:,} more bad rows: --bad {len(taken.bad)} shows all")


def _show_codes(taken: Taken) -> None:
    if not taken.codes:
        return
    table = Table("kind", "code", "rows", title="codes: each is mapped once, if it is not yet", title_justify="left")
    for key, rows in taken.codes.most_common(_CODES):
        _, kind, code = key.split(":", 2)
        table.add_row(kind, code, f"{rows:,}")
    console.print(table)
    if len(taken.codes) > _CODES:
        console.print(f"and {len(taken.codes) - _CODES:,} more codes")
