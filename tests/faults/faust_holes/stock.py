"""The `stock` subject: a plain Faust app, as its documentation shows it, one function a hole.

    python -m tests.faults.faust_holes.stock HOLE

Where and how is in the environment (see `subjects.py`). The rule is the same as the plane's: a record gives one output
with its value. What is set beyond the documentation's examples only makes a test short (session, commit interval).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGSTOP

import faust

HOLE, BROKER, NAME = sys.argv[1], os.environ["HOLE_BROKER"], os.environ["HOLE_NAME"]
SOURCE, OUTPUT = f"{NAME}.in", f"{NAME}.out"
HOME, FIRST_LIFE = Path(os.environ["HOLE_HOME"]), os.environ["HOLE_LIFE"] == "1"

app = faust.App(
    NAME,
    broker=f"kafka://{BROKER}",
    store="rocksdb://",
    datadir=str(HOME / "faust"),
    processing_guarantee="exactly_once" if HOLE.startswith("eos") else "at_least_once",
    topic_partitions=2 if HOLE == "eos_partition" else 1,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    broker_session_timeout=2.0,
    broker_heartbeat_interval=0.5,
    broker_rebalance_timeout=4.0,
    broker_commit_interval=60.0 if HOLE in ("eos_store", "eos_outputs") and FIRST_LIFE else 0.3,
    broker_max_poll_interval=2.0 if HOLE == "poll" else 1000.0,
    stream_buffer_maxsize=1 if HOLE == "poll" else 4096,
    web_host="127.0.0.1",
    web_bind="127.0.0.1",
    web_port=int(os.environ["HOLE_PORT"]),
    web_enabled=HOLE == "table",
)
source = app.topic(SOURCE, value_type=bytes, value_serializer="raw")
output = app.topic(OUTPUT, value_type=bytes, value_serializer="raw")
Stream = AsyncIterator[bytes]


async def raises(stream: Stream) -> None:
    async for value in stream:
        if value == b"2" and FIRST_LIFE and not (HOME / "raised").exists():
            (HOME / "raised").touch()
            raise RuntimeError("a defect that the next attempt does not meet")
        await output.send(value=value)


async def refused(stream: Stream) -> None:
    async for value in stream:
        await output.send(value=value + os.urandom(2000 if value == b"2" else 0))


async def told(stream: Stream) -> None:
    async for value in stream:
        await output.send(value=value)
        os._exit(9)


async def in_flight(stream: Stream) -> None:
    async for value in stream:
        if value == b"0" and FIRST_LIFE:
            (HOME / "slow").touch()
            await asyncio.sleep(60)
        await output.send(value=value)


async def passes_on(stream: Stream) -> None:
    async for value in stream:
        await output.send(value=value)


async def eos_store(stream: Stream) -> None:
    async for value in stream:
        totals["all"] += 1
        (HOME / f"total-{value.decode()}").write_text(str(totals["all"]))


async def eos_partition(stream: Stream) -> None:
    async for value in stream:
        await output.send(key=b"to the other partition", value=value)


async def fence(stream: Stream) -> None:
    async for value in stream:
        if value == b"2" and FIRST_LIFE:
            os.kill(os.getpid(), SIGSTOP)
        await output.send(value=value)


async def ignore(stream: Stream) -> None:
    async for _ in stream:
        pass


async def poll(stream: Stream) -> None:
    async for value in stream:
        await asyncio.sleep(30)
        await output.send(value=value)


async def counts(stream: Stream) -> None:
    async for value in stream:
        totals["secret"] += 1
        await output.send(value=value)


def flush() -> None:
    """Hand 20 records to the producer while the broker does not answer; flush; end as a killed process would."""

    async def run() -> None:
        producer = app.producer
        await producer.start()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for number in range(20):
            output.send_soon(value=b"%d" % number)
        await producer.flush()
        os._exit(0)

    asyncio.run(run())


totals = app.Table("totals", default=int, partitions=1) if HOLE in ("eos_store", "table") else {}
AGENTS = {
    "raises": raises, "refused": refused, "told": told, "in_flight": in_flight, "poll": poll, "table": counts,
    "retention": passes_on, "eos_store": eos_store, "eos_outputs": passes_on, "eos_partition": eos_partition,
    "eos_fence": fence, "table_recovery": passes_on,
}  # fmt: skip

if HOLE == "table_recovery":
    app.GlobalTable("totals", default=int, partitions=1)
if HOLE == "eos_partition":  # Faust keeps an output out of every transaction, unless its app reads that topic too
    app.agent(output)(ignore)
if HOLE == "unequal":
    app.agent(app.topic(SOURCE, f"{NAME}.in2", value_type=bytes, value_serializer="raw"))(passes_on)
elif HOLE in AGENTS:
    app.agent(source, concurrency=2 if HOLE == "in_flight" else 1)(AGENTS[HOLE])

if __name__ == "__main__":
    if HOLE == "flush":
        flush()
    else:
        faust.Worker(app, loglevel="INFO", quiet=False).execute_from_commandline()
