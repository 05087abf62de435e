"""A process that decides over its own state: a transactional committer a partition, all of one kind.

    lifecycle = stateful_process("lifecycle", LIFECYCLE_INPUTS, settings, lambda: process_batch)

What is kept between batches beside the state (`decide` as an object with a memory) is made anew for each partition, and
after a failure.
"""

from collections.abc import Callable, Sequence

from settings import Settings
from streaming.batch import Record
from streaming.decider import Decide
from streaming.process import BatchProcess
from streaming.state import State
from streaming.transactions import DerivedRows, TransactionalCommitter
from topics.catalogue import changelog_of


def stateful_process(
    name: str,
    sources: Sequence[str],
    settings: Settings,
    decide: Callable[[], Decide],
    *,
    due: Callable[[TransactionalCommitter], bool] = lambda _: False,
    derived: DerivedRows | None = None,
    note: Callable[[State, Sequence[Record]], None] = lambda _state, _records: None,
    batch_records: int | None = None,
    batch_seconds: float | None = None,
) -> BatchProcess:
    """The process of an agent; `decide` makes its rule, `due` says whether it has work without records, `note` counts
    records that were set aside.

    Of `batch_records` and the setting the lesser holds, of `batch_seconds` the longer.
    """

    def committer(partition: int) -> TransactionalCommitter:
        return TransactionalCommitter(
            name,
            partition,
            sources,
            broker=settings.bootstrap,
            changelog=changelog_of(name, 1).name,
            state_dir=settings.state_dir(name),
            decide=decide,
            due=due,
            derived=derived,
            note=note,
            request_seconds=settings.request_seconds,
        )

    return BatchProcess(name, sources, committer, settings, batch_records=batch_records, batch_seconds=batch_seconds)
