"""`hourstream seal` and `hourstream verify`: a chain of hashes over charges, made and held to what is stored."""

import sys
import time

import click
from rich.table import Table

from runtime.cli.context import attached, console, errors, print_json
from runtime.seals import SEALED, Verdict, seal_all
from runtime.seals import verify as verdicts
from runtime.settings import Settings
from sinks.database import open_pool
from sinks.migrations import migrate
from sinks.stored import differing


@click.command()
@click.option("--every", "seconds", type=click.FloatRange(min=1), help="Go on, and seal again after so many seconds.")
def seal(seconds: float | None) -> None:
    """Seal the charges published since the last seal. One sealer at a time: a second one takes over from the first."""
    settings = Settings.load()
    with attached(settings) as stack:
        while True:
            sealed = seal_all(stack.broker, settings.seal_key)
            console.print(f"{sealed:,} records of {', '.join(SEALED)} sealed")
            if seconds is None:
                return
            time.sleep(seconds)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def verify(as_json: bool) -> None:
    """Read what was sealed again, and the charges in the database, and name every altered record.

    Exit status 1 when there is one. A partition's head, noted elsewhere, is what nobody can later alter.
    """
    settings = Settings.load()
    with attached(settings) as stack, errors.status("reading everything sealed again"):
        found = verdicts(stack.broker, settings.seal_key)
        with open_pool(stack.postgres_url) as pool:
            migrate(pool)
            stored = list(differing(pool, stack.broker))
    faults = [fault for verdict in found for fault in verdict.faults] + stored
    if as_json:
        print_json({"partitions": [_plain(verdict) for verdict in found], "faults": faults})
    else:
        _show(found)
        for fault in faults:
            console.print(fault, markup=False, soft_wrap=True)
        console.print("nothing was altered" if not faults else f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


def _show(found: list[Verdict]) -> None:
    table = Table("partition", "sealed", "not yet", "head", "verdict")
    for each in found:
        word = "[red]ALTERED[/]" if each.faults else "[green]as sealed[/]"
        table.add_row(
            f"{each.topic}[{each.partition}]", f"{each.sealed:,}", f"{each.open:,}", each.head.hex()[:16], word
        )
    console.print(table)


def _plain(verdict: Verdict) -> dict[str, object]:
    return {
        "topic": verdict.topic,
        "partition": verdict.partition,
        "sealed": verdict.sealed,
        "open": verdict.open,
        "head": verdict.head.hex(),
        "faults": list(verdict.faults),
    }
