"""The job in plain Faust 0.15.3 as its documentation shows it: an agent, a table, one event at a time.

    .venv-bench/bin/python -m benchmarks.contenders.faust_job

At least once: its exactly-once mode loses and doubles records (docs/adr/0001-batches-under-faust.md).
"""

import sys
from collections.abc import AsyncIterator

import faust

from benchmarks.contenders.surroundings import Surroundings
from benchmarks.enrichment.contract import decode_entry, encode_billed
from benchmarks.enrichment.masters import Masters
from benchmarks.enrichment.rule import enrich

PARTITIONS = 4


def worker(surroundings: Surroundings) -> faust.Worker:
    """The app, its table and its agent."""
    masters = Masters.read(surroundings.masters)
    app = faust.App(
        surroundings.app,
        broker=f"kafka://{surroundings.broker}",
        store="rocksdb://?driver=rocksdict",
        datadir=str(surroundings.state),
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        producer_compression_type="lz4",
    )
    source = app.topic(surroundings.input, key_type=bytes, value_type=bytes, value_serializer="raw")
    target = app.topic(surroundings.output, key_type=bytes, value_type=bytes, value_serializer="raw")
    seen = app.Table("seen", partitions=PARTITIONS, key_type=str, value_type=int)

    @app.agent(source)
    async def bill(stream: AsyncIterator[bytes]) -> None:
        async for key, value in stream.items():  # type: ignore[attr-defined]
            entry = decode_entry(value)
            if entry["entry_id"] not in seen:
                seen[entry["entry_id"]] = 1
                await target.send(key=key, value=encode_billed(enrich(masters, entry)))

    return faust.Worker(app, loglevel="INFO", quiet=True, stdout=sys.stdout, stderr=sys.stderr)


if __name__ == "__main__":
    worker(Surroundings.load()).execute_from_commandline()
