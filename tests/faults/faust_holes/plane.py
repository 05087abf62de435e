"""The `hourstream` subject: the same rule as the stock one's, on the batch plane.

python -m tests.faults.faust_holes.plane HOLE
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from metrics.http_endpoints import serve_pages
from settings import Settings
from streaming.batch import Batch, Output, Record
from streaming.process import Batches, BatchProcess
from streaming.state import State
from streaming.transactions import TransactionalCommitter
from tests.faults.faust_holes.hangs import HANGS

HOLE, BROKER, NAME = sys.argv[1], os.environ["HOLE_BROKER"], os.environ["HOLE_NAME"]
SOURCE, OUTPUT, CHANGELOG = f"{NAME}.in", f"{NAME}.out", f"{NAME}.changelog"
HOME, FIRST_LIFE = Path(os.environ["HOLE_HOME"]), os.environ["HOLE_LIFE"] == "1"
SOURCES = (SOURCE, f"{NAME}.in2") if HOLE == "unequal" else (SOURCE,)
TOTAL = b"total"


def decide(batch: Batch, state: State) -> list[Output]:
    return [output for record in batch.records for output in one(record.value or b"", state)]


def one(value: bytes, state: State) -> Iterator[Output]:
    if HOLE == "raises" and value == b"2" and FIRST_LIFE:
        raise RuntimeError("a defect that the next attempt does not meet")
    if (HOLE in ("in_flight", "slow") and value == b"0" and FIRST_LIFE) or HOLE == "poll":
        (HOME / "slow").touch()
        time.sleep(12 if HOLE == "slow" else 30)
    total = int(state.get(TOTAL) or 0) + 1
    state.put(TOTAL, b"%d" % total)
    if HOLE == "eos_store":
        (HOME / f"total-{value.decode()}").write_text(str(total))
    key = b"to the other partition" if HOLE == "eos_partition" else None
    yield Output(OUTPUT, key, value + os.urandom(2000 if HOLE == "refused" and value == b"2" else 0))


def committer(partition: int) -> TransactionalCommitter:
    return TransactionalCommitter(
        NAME,
        partition,
        SOURCES,
        broker=BROKER,
        changelog=CHANGELOG,
        state_dir=HOME / "state",
        decide=lambda: decide,
        request_seconds=Settings.load().request_seconds,
    )


def flush() -> None:
    """Commit a batch of 20 outputs while the broker does not answer; end as a killed process would."""
    one = committer(0)
    one.fence()
    one.open()
    print("ready", flush=True)
    sys.stdin.readline()
    records = [Record(SOURCE, 0, number, 0, None, b"%d" % number, ()) for number in range(20)]
    one.process(Batch(0, 0, {SOURCE: 0}, {SOURCE: 20}, records))
    os._exit(0)


def work() -> None:
    settings = Settings.load(broker=BROKER, home=HOME, session_seconds=2.0, batch_seconds=0.05)
    hang = HANGS.get(HOLE.removeprefix("stopped-"))
    if FIRST_LIFE and hang is not None:
        hang()
    process = BatchProcess(NAME, SOURCES, committer, settings)
    if "HOLE_INSTANCE" in os.environ:
        process.app.conf.consumer_group_instance_id = os.environ["HOLE_INSTANCE"]
    if HOLE == "poll":
        process.app.conf.broker_max_poll_interval = 2.0
    if HOLE == "table":
        serve_pages("127.0.0.1", int(os.environ["HOLE_PORT"]), list, dict)

    @process.app.agent(process.topic)
    async def pass_on(batches: Batches) -> None:
        async for batch in batches:
            await process.run(batch)

    process.main("INFO")


if __name__ == "__main__":
    if HOLE == "flush":
        flush()
    else:
        work()
