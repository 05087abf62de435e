"""The command line over topics with anything on them: it says what it finds, and never ends in a traceback."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from click.testing import Result

from tests.integration.stream.running import Running

MOST_SECONDS = 180.0
EXPORT = Path(__file__).parents[2] / "sources" / "harvest" / "samples" / "time-us.csv"


def faults_of_commands(stream: Running, out: Path, subject: str) -> Iterator[str]:
    """A line for each command that fails to end in order."""
    for arguments in commands(out, subject):
        began = time.monotonic()
        result = stream.hourstream(*arguments)
        if time.monotonic() - began > MOST_SECONDS:
            yield f"hourstream {' '.join(arguments)} takes {time.monotonic() - began:.0f} s"
        if why := _fault(result):
            yield f"hourstream {' '.join(arguments)}: {why}"


def commands(out: Path, subject: str) -> list[Sequence[str]]:
    """What people run."""
    return [
        ("audit",),
        ("audit", "--json"),
        ("reconcile", "--each"),
        ("reconcile", "--json"),
        ("verify",),
        ("seal",),
        ("verify", "--json"),
        ("exceptions", "list"),
        ("exceptions", "list", "--each"),
        ("exceptions", "list", "--json"),
        ("exceptions", "codes"),
        ("trace", subject),
        ("trace", subject, "--json"),
        ("trace", "F1-2/time:f1"),
        ("trace", "[/x]"),
        ("ingest", str(EXPORT), "--source", "harvest"),
        ("ingest", str(EXPORT), "--source", "harvest"),
        ("invoice", "run", "--cut-off", "2024-12-31", "--issue-date", "2025-01-02", "--out", str(out)),
        ("invoice", "list"),
        ("invoice", "list", "--json"),
        ("deliveries", "list"),
        ("revenue", "close", "--period", "2024-01"),
        ("revenue", "show"),
        ("topics", "list"),
        ("people", "list"),
    ]


def _fault(result: Result) -> str | None:
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"{type(result.exception).__name__}: {result.exception}"[:500]
    return "a traceback is shown" if "Traceback" in result.output else None
