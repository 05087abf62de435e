"""The job on Hourstream's batch plane: exactly once, state in RocksDB with a changelog topic.

python -m benchmarks.contenders.hourstream_job
"""

from collections.abc import Callable

from benchmarks.contenders.surroundings import Surroundings
from benchmarks.enrichment.contract import decode_entry, encode_billed
from benchmarks.enrichment.masters import Masters
from benchmarks.enrichment.rule import enrich
from runtime.plane.batch import Batch, Output
from runtime.plane.process import Batches, BatchProcess
from runtime.plane.state import State
from runtime.plane.transactional import TransactionalCommitter
from runtime.settings import Settings

SEEN = b"s"  # prefix of the rows that say which entries were billed
_ONCE = b"1"


def decider(masters: Masters, output: str) -> Callable[[Batch, State], list[Output]]:
    """The rule as the plane calls it, a batch at a time."""

    def decide(batch: Batch, state: State) -> list[Output]:
        entries = [(record.key, decode_entry(record.value or b"")) for record in batch.records]
        rows = [SEEN + entry["entry_id"].encode() for _, entry in entries]
        state.load(rows)
        outputs = []
        for row, (key, entry) in zip(rows, entries, strict=True):
            if state.get(row) is None:
                state.put(row, _ONCE)
                outputs.append(Output(output, key, encode_billed(enrich(masters, entry))))
        return outputs

    return decide


def process(surroundings: Surroundings) -> BatchProcess:
    """The worker, over all partitions of the input."""
    settings = Settings.load(broker=surroundings.broker, home=surroundings.state)
    decide = decider(Masters.read(surroundings.masters), surroundings.output)

    def committer(partition: int) -> TransactionalCommitter:
        return TransactionalCommitter(
            surroundings.app,
            partition,
            (surroundings.input,),
            broker=settings.bootstrap,
            changelog=surroundings.changelog,
            state_dir=settings.state_dir(surroundings.app),
            decide=decide,
        )

    enrichment = BatchProcess(surroundings.app, (surroundings.input,), committer, settings)

    @enrichment.app.agent(enrichment.topic)
    async def enrich_batches(batches: Batches) -> None:
        async for batch in batches:
            await enrichment.run(batch)

    return enrichment


if __name__ == "__main__":
    process(Surroundings.load()).main("INFO")
