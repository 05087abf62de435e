"""`hourstream seal` and `hourstream verify`: hash chains over charges, documents and acts of people."""

import contextlib
import getpass
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click
from confluent_kafka import KafkaException
from rich.table import Table

from assurance.hash_chain import SEALED, Readers, Verdict
from assurance.seal_heads import Copy, FileCopy, Heads, NoHeads, kept, parse
from assurance.seal_heads_table import TableCopy
from assurance.seal_verify import Verified
from assurance.seal_verify import verify as verified
from assurance.sealed_tables import SEALED_TABLES, beyond, rows_from
from assurance.sealer import Sealer, SealingRefused
from assurance.stored_documents import inconsistent
from assurance.table_vs_topic import differing
from cli.context import attached, console, errors, print_json
from cli.plain_console import verdict
from common.errors import Unreachable
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool


@click.command()
@click.option("--every", "seconds", type=click.FloatRange(min=1), help="Go on, and seal again after so many seconds.")
@click.option(
    "--head", "show_head", is_flag=True, help="Seal nothing: print the heads of all chains, for `verify --head`."
)
@click.option("--adopt", "reason", help="Continue chains that were altered or moved as they are, and note this reason.")
def seal(seconds: float | None, show_head: bool, reason: str | None) -> None:
    """Seal charges, documents, postings and acts of people since the last seal.

    A second sealer takes over from the first. The end of each chain is written to HOURSTREAM_SEAL_HEADS_FILE and to the
    database, signed with the key. The time and number of the last seals are in HOURSTREAM_HOME/run/sealed.
    """
    settings = Settings.load()
    with attached(settings) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        if show_head:
            click.echo(_heads(settings, pool).text, nl=False)
            return
        sealer = _sealer(settings, stack.broker, pool)
        if reason is not None:
            sealer.adopt(f"{getpass.getuser()}: {reason}")
        if seconds is None:
            console.print(f"{seal_now(settings, sealer):,} records of {', '.join(_all())} sealed")
            for left in sealer.postponed:
                errors.print(left)
            return
        with sealing(settings, stack.broker, pool, seconds):
            threading.Event().wait()  # until a signal


def seal_now(settings: Settings, sealer: Sealer) -> int:
    """Seal new records and note it; returns the number of records.

    Raises KafkaException, Unreachable, OSError, SealingRefused.
    """
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
    """Seal every so many seconds, beside other commands; records that cannot be sealed now are sealed later."""
    closing, sealer = threading.Event(), _sealer(settings, broker, pool)

    def run() -> None:
        while not closing.is_set():
            try:
                seal_now(settings, sealer)
            except (KafkaException, Unreachable, OSError, SealingRefused) as error:
                errors.print(f"not sealed, trying again in {seconds:g} s: {error}")
            closing.wait(seconds)

    thread = threading.Thread(target=run, name="seal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join(30)


def _sealer(settings: Settings, broker: str, pool: Pool) -> Sealer:
    return Sealer(broker, settings.seal_key, _copies(settings, pool), others=_tables(pool))


def _copies(settings: Settings, pool: Pool) -> Sequence[Copy]:
    return FileCopy(settings.seal_heads), TableCopy(pool)


def _heads(settings: Settings, pool: Pool) -> Heads:
    held = kept(_copies(settings, pool), settings.seal_key)
    for wrong in held.others:
        errors.print(wrong)
    if held.heads is None:
        raise click.ClickException("no heads are kept that this key has signed: `hourstream seal` makes them")
    return held.heads


def _all() -> tuple[str, ...]:
    return (*SEALED, *SEALED_TABLES)


def _tables(pool: Pool) -> Readers:
    """The sealed tables, each under its name."""
    return {(topic, 0): partial(rows_from, pool, table) for topic, table in SEALED_TABLES.items()}


@click.command()
@click.option(
    "--head", "head_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Heads kept elsewhere."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def verify(head_file: Path | None, as_json: bool) -> None:
    """Read the sealed records and the rows of the database again, and name everything that was altered.

    Exit status 1 after a finding. `--head` also compares the chains with a list of `hourstream seal --head` that was
    kept elsewhere: only that proves, without trust in the holder of the key, that the end of a chain was not replaced.
    """
    settings = Settings.load()
    with attached(settings) as stack, open_pool(stack.postgres_url) as pool, errors.status("reading everything again"):
        migrate(pool)
        found = verified(
            stack.broker,
            settings.seal_key,
            _copies(settings, pool),
            others=_tables(pool),
            noted=None if head_file is None else _given(head_file),
        )
        stored = [*differing(pool, stack.broker), *inconsistent(pool)]
        stored += [fault for table in SEALED_TABLES.values() for fault in beyond(pool, table)]
    faults = [*found.all_faults, *stored]
    if as_json:
        print_json(
            {
                "cannot_prove": found.unproven,
                "partitions": [_plain(verdict) for verdict in found.chains],
                "faults": faults,
                "notices": found.all_notices,
            }
        )
    else:
        _print(found, faults)
    sys.exit(1 if faults else 0)


def _given(file: Path) -> Heads:
    try:
        return parse(file.read_text(encoding="utf-8", errors="replace"))
    except NoHeads as error:
        raise click.ClickException(f"{file} is no list of `hourstream seal --head`: {error}") from error


def _print(found: Verified, faults: Sequence[str]) -> None:
    if found.unproven:
        console.print(found.unproven, soft_wrap=True)
    _show(found.chains)
    for notice in found.all_notices:
        console.print(f"note: {notice}", soft_wrap=True)
    for fault in faults:
        console.print(fault, soft_wrap=True)
    console.print("nothing was altered" if not faults else f"{len(faults)} faults")


def _show(found: Sequence[Verdict]) -> None:
    table = Table("partition", "sealed", "not yet", "head", "verdict")
    for each in found:
        word = verdict(not each.faults, "as sealed", "ALTERED")
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
