"""The job in Quix Streams: exactly once, state in its RocksDB with its changelog topic. Runs in the benchmark's own
environment.

    .venv-bench/bin/python -m benchmarks.contenders.quix_job
"""

import logging
from typing import Any

from quixstreams import Application, State

from benchmarks.contenders.surroundings import Surroundings
from benchmarks.enrichment.contract import decode_entry, encode_billed
from benchmarks.enrichment.masters import Masters
from benchmarks.enrichment.rule import enrich


def main() -> None:
    """Run until SIGTERM."""
    surroundings = Surroundings.load()
    masters = Masters.read(surroundings.masters)
    app = Application(
        broker_address=surroundings.broker,
        consumer_group=surroundings.app,
        processing_guarantee="exactly-once",
        state_dir=str(surroundings.state),
        auto_offset_reset="earliest",
        commit_interval=0.1,
        auto_create_topics=True,
        consumer_extra_config={"fetch.wait.max.ms": 20, "fetch.message.max.bytes": 8 << 20},
        producer_extra_config={"compression.type": "lz4", "linger.ms": 5, "batch.size": 1 << 20},
        loglevel=logging.INFO,
    )
    source = app.topic(surroundings.input, key_deserializer="bytes", value_deserializer="bytes")
    target = app.topic(surroundings.output, key_serializer="bytes", value_serializer="bytes")

    def bill(value: bytes, state: State) -> bytes | None:
        entry: dict[str, Any] = decode_entry(value)
        if state.exists(entry["entry_id"]):
            return None
        state.set(entry["entry_id"], 1)
        return encode_billed(enrich(masters, entry))

    frame = app.dataframe(source).apply(bill, stateful=True)
    frame[frame.apply(lambda billed: billed is not None)].to_topic(target)
    app.run()


if __name__ == "__main__":
    main()
