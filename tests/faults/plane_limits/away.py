"""A broker that goes away at a chosen step of an assignment, and what a worker does until everything is read again.

Each run has a proxy of its own between its worker and the broker, so that many run at once: nearly all is waiting.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Literal

from devstack.kafka import Front, Kafka
from devstack.ports import LOOPBACK
from settings import Settings
from streaming.batch import Batch, Output
from streaming.state import State
from streaming.transactions import TransactionalCommitter
from tests.faults.faust_holes.subjects import Subject
from tests.faults.proxy import Proxy

Way = Literal["refused", "silent"]
STEPS = {
    "joining": "{name}:joining",
    "assigned": "{name}:assigned",  # before anything was sought
    "resuming": "hourstream-{name}:resuming",  # when Faust seeks
    "fencing": "{name}:fencing",  # before init_transactions
    "restoring": "{name}:restoring",
    "seeking": "{name}:seeking",  # before the positions of the sources are looked up
    "fetching": "{name}:fetching",  # before the first fetch
    "decided": "{name}:decided",  # before the transaction
    "flushed": "{name}:flushed",  # inside it
    "idle": None,
}
_ROWS = 30_000  # of the changelog: a restore takes some chunks
_FIRST = [b"0", b"1", b"2"]


@dataclass(frozen=True, slots=True)
class Recovered:
    """How a run went: `seconds` from the broker's return to the last output."""

    step: str
    way: Way
    away: float
    seconds: float
    endings: Sequence[int]
    outputs: Sequence[bytes]

    def __str__(self) -> str:
        return f"{self.step:10} {self.way:8} away {self.away:g} s: all read {self.seconds:.1f} s after, {self.endings}"


@contextmanager
def fronted(home: Path, count: int) -> Iterator[tuple[str, list[Proxy]]]:
    """A broker, its own address, and proxies to it."""
    with ExitStack() as ends:
        proxies = [ends.enter_context(Proxy()) for _ in range(count)]
        fronts = [Front(proxy.target, proxy.port) for proxy in proxies]
        kafka = Kafka(home / "kafka", Settings.load(home=home), print, None, fronts=fronts)
        ends.callback(kafka.stop)
        kafka.start()
        yield kafka.broker, proxies


def away(broker: str, proxy: Proxy, home: Path, step: str, way: Way, seconds: float, patience: float) -> Recovered:
    """One run. Raises TimeoutError where not everything is read within `patience` of the broker's return."""
    app = Subject("hourstream", f"{step}-{way}", broker, home)
    app.topics()
    app.publish(*_FIRST)
    _fill_changelog(app, home / "former")
    given = {"HOLE_BROKER": f"{LOOPBACK}:{proxy.port}"}
    if (point := STEPS[step]) is not None:
        (home / "faults").mkdir()
        (home / "faults" / point.format(name=app.name)).write_text(SIGSTOP.name)
        given["HOURSTREAM_FAULTS"] = str(home / "faults")
    try:
        app.start(**given)
        if point is None:
            app.wait(lambda: len(app.outputs()) == len(_FIRST), "it did not begin")
        else:
            app.wait(app.frozen, f"it never came to {step}")
        if way == "refused":
            proxy.refuse()
        else:
            proxy.stall()
        app.process.send_signal(SIGCONT)
        app.publish(b"3")
        app.until(lambda: False, seconds)
        proxy.flow()
        began = time.monotonic()
        if not app.until(lambda: b"3" in app.outputs(), patience):
            raise TimeoutError(f"{step}, {way}: not read within {patience:g} s; its last log:\n{app.log()[-4000:]}")
        return Recovered(step, way, seconds, time.monotonic() - began, list(app.endings), app.outputs())
    finally:
        proxy.flow()
        app.kill()


def _fill_changelog(app: Subject, home: Path) -> None:
    """A former owner that has kept many rows, and read nothing."""

    def decide(batch: Batch, state: State) -> list[Output]:
        for number in range(_ROWS):
            state.put(b"row-%d" % number, b"-")
        return []

    former = TransactionalCommitter(
        app.name, 0, (app.source,), broker=app.broker, changelog=app.changelog, state_dir=home, decide=lambda: decide
    )
    former.fence()
    former.open()
    former.process(Batch(0, 0, {app.source: 0}, {app.source: 0}, []))
    former.close()
    shutil.rmtree(home)
