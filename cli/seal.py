"""`hourstream seal` and `hourstream verify`: a chain of hashes over charges and over what people did, made and held."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
from confluent_kafka import KafkaException
from rich.table import Table

from assurance.hash_chain import SEALED, Readers, Sealer, Verdict
from assurance.hash_chain import verify as verdicts
from assurance.sealed_tables import SEALED_TABLES, rows_from
from assurance.table_vs_topic import differing
from cli.context import attached, console, errors, print_json
from common.errors import Unreachable
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool


@click.command()
@click.option("--every", "seconds", type=click.FloatRange(min=1), help="Go on, and seal again after so many seconds.")
def seal(seconds: float | None) -> None:
    """Seal the charges, and what people did, since the last seal. A second sealer takes over from the first.

    What was sealed last, and when, is noted in HOURSTREAM_HOME/run/sealed, whose age tells whether somebody seals.
    """
    settings = Settings.load()
    with attached(settings) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        sealer = _sealer(settings, stack.broker, pool)
        while True:
            console.print(f"{seal_now(settings, sealer):,} records of {', '.join(_all())} sealed")
            if seconds is None:
                return
            time.sleep(seconds)


def seal_now(settings: Settings, sealer: Sealer) -> int:
    """Seal what is not sealed yet, and note it; the number of records. Raises KafkaException, Unreachable."""
    sealed = sealer.seal()
    note = noted(settings)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{sealed}\n", encoding="ascii")
    return sealed


def noted(settings: Settings) -> Path:
    """The file that is written whenever everything is sealed."""
    return settings.home / "run" / "sealed"


@contextlib.contextmanager
def sealing(settings: Settings, broker: str, pool: Pool, seconds: float) -> Iterator[None]:
    """Seal every so many seconds, beside whatever else runs; what cannot be sealed now is sealed later."""
    closing, sealer = threading.Event(), _sealer(settings, broker, pool)

    def run() -> None:
        while not closing.is_set():
            try:
                seal_now(settings, sealer)
            except (KafkaException, Unreachable) as error:
                errors.print(f"not sealed, trying again in {seconds:g} s: {error}", markup=False)
            closing.wait(seconds)

    thread = threading.Thread(target=run, name="seal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join(30)


def _sealer(settings: Settings, broker: str, pool: Pool) -> Sealer:
    return Sealer(broker, settings.seal_key, others=_tables(pool))


def _all() -> tuple[str, ...]:
    return (*SEALED, *SEALED_TABLES)


def _tables(pool: Pool) -> Readers:
    """The tables of acts, each under its name."""
    return {(topic, 0): partial(rows_from, pool, table) for topic, table in SEALED_TABLES.items()}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def verify(as_json: bool) -> None:
    """Read what was sealed again, and the charges in the database, and name every altered record or row.

    Exit status 1 when there is one. A partition's head, noted elsewhere, is what nobody can later alter.
    """
    settings = Settings.load()
    with attached(settings) as stack, open_pool(stack.postgres_url) as pool, errors.status("reading everything again"):
        migrate(pool)
        found = verdicts(stack.broker, settings.seal_key, others=_tables(pool))
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
