"""Every contender of the enrichment job: its guarantee, its command, and how much of the load it is given."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BENCH_PYTHON = CHECKOUT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True)
class Contender:
    """One program that does the job.

    `share`: the part of the backlog for a slow one; `most_a_second`: the steady rate that it must keep up with.
    """

    name: str
    guarantee: str
    command: Callable[[], Sequence[str]]
    once: bool = True  # whether it drops repeats
    keeps_state: bool = True
    tells_restore: bool = True
    share: float = 1.0
    most_a_second: int = 2_000


def _module(name: str, python: Path | None = None) -> Callable[[], Sequence[str]]:
    return lambda: [str(python or sys.executable), "-m", f"benchmarks.contenders.{name}"]


def _kafka_streams(guarantee: str) -> Callable[[], Sequence[str]]:
    def command() -> Sequence[str]:
        from benchmarks.contenders.kafka_streams.build import command as java

        return java(guarantee)

    return command


ENRICHMENT = (
    Contender("hourstream", "exactly once", _module("hourstream_job")),
    Contender("kafka_streams_eos", "exactly once", _kafka_streams("exactly_once_v2")),
    Contender("kafka_streams_alo", "at least once", _kafka_streams("at_least_once")),
    Contender("bare_loop", "none", _module("bare_loop"), once=False, keeps_state=False),
    Contender("quixstreams", "exactly once", _module("quix_job", BENCH_PYTHON), tells_restore=False, share=0.2),
    Contender(
        "faust",
        "at least once",
        _module("faust_job", BENCH_PYTHON),
        tells_restore=False,
        share=0.03,
        most_a_second=300,
    ),
)
