"""Waits until the stream is at rest: stage by stage, readers at the ends, resettling done, outboxes empty."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sinks.outbox import Outbox
from sources.mapping import catalogue
from storage.postgres import Pool
from streaming.topic_reader import topic_ends
from topics import topic_names
from topics.catalogue import ADVISORY_INPUTS, LIFECYCLE_INPUTS, MASTERS, METRICS_INPUTS, SETTLE_INPUTS, TOPICS
from warehouse.events import TOPICS as WAREHOUSE_TOPICS

_NOT_MAPPED = (
    topic_names.SOURCE_BILLING_STATUSES,
    topic_names.SOURCE_CONTROL,
    topic_names.SOURCE_REVIEWS,
)  # the first is for billing, the second for `reconcile`, the third for the intakes of other sources
INPUTS: dict[str, tuple[str, ...]] = {
    "intake": (
        *(name for name in TOPICS if name.startswith("source.") and name not in _NOT_MAPPED),
        topic_names.MASTER_CODE_MAP,
    ),
    "masters": MASTERS,
    "settle": (*SETTLE_INPUTS, topic_names.MASTERS_CURRENT),
    "advisories": ADVISORY_INPUTS,
    "erp": (topic_names.BILLING_READY,),
    "billing": (topic_names.BILLING_READY, topic_names.SOURCE_BILLING_STATUSES),
    "lifecycle": LIFECYCLE_INPUTS,
    "warehouse": (*WAREHOUSE_TOPICS, topic_names.MASTERS_CURRENT),
    "metrics": (*METRICS_INPUTS, topic_names.MASTERS_CURRENT),
}
DELIVERY = "delivery-"  # followed by the name of a target
JOURNAL_WORKER = "erp-"  # followed by the name of a further journal
INPUTS |= {
    f"intake-{source}": (
        *(name for name in TOPICS if name.startswith(f"source.{source}.")),
        topic_names.MASTER_CODE_MAP,
        topic_names.SOURCE_REVIEWS,
    )
    for source in catalogue.names()
}
Ends = dict[tuple[str, int], int]


class WorkerStatuses(Protocol):
    """The workers of a home, as their supervisor knows them."""

    @property
    def names(self) -> Sequence[str]:
        """The workers' names."""

    def check(self) -> None:
        """Raise if a worker cannot be kept running."""

    def status(self, name: str) -> dict[str, Any] | None:
        """A worker's own status; None if it does not answer."""


class NotQuiet(RuntimeError):
    """The stream did not come to rest in time; the message names the remaining work."""


def wait_until_quiet(
    workers: WorkerStatuses,
    broker: str,
    unsent: Callable[[], int] = lambda: 0,
    *,
    seconds: float = 600.0,
    progress: Callable[[Ends], None] = lambda _: None,
) -> None:
    """Return when every worker has committed all records, and no new ones arrived meanwhile.

    `unsent` counts outbox rows that are not announced yet. The ends are read before and after the workers are asked:
    work in progress of a worker shows either in its own answer or as a topic that has grown.
    """
    deadline = time.monotonic() + seconds
    topics = sorted({topic for name in workers.names for topic in inputs_of(name)})
    before = topic_ends(broker, topics)
    while True:
        workers.check()
        progress(before)
        waiting = [why for name in workers.names if (why := _busy(name, workers.status(name), before))]
        if not waiting and (left := unsent()):
            waiting = [f"{left} announcements not sent"]
        after = topic_ends(broker, topics)
        if not waiting and after == before:
            return
        if time.monotonic() > deadline:
            raise NotQuiet(f"not at rest after {seconds:g} s: {'; '.join(waiting) or 'records keep arriving'}")
        before = after
        time.sleep(0.1)


def inputs_of(name: str) -> tuple[str, ...]:
    """The topics a worker reads."""
    return (topic_names.BILLING_READY,) if name.startswith((DELIVERY, JOURNAL_WORKER)) else INPUTS[name]


def _busy(name: str, status: dict[str, Any] | None, ends: Ends) -> str | None:
    """Why this worker is not done, None if it is."""
    if status is None:
        return f"{name} does not answer"
    for (topic, number), end in ends.items():
        if topic not in inputs_of(name):
            continue
        followed: int | None = status["follows"].get(topic)
        partition = status["partitions"].get(str(number))
        if followed is not None:
            reached, idle = followed, True
        elif partition is None:
            return f"{name} does not hold partition {number} yet"
        elif topic not in partition["reached"]:
            continue  # declared, but nothing here reads it
        else:
            reached, idle = partition["reached"][topic], partition["idle"]
        if not idle or reached < end:
            return f"{name} is at {reached} of {end} of {topic}[{number}]"
    waiting = sum(total for *labels, total in status["totals"] if labels[:2] == ["delivery", "waiting"])
    return f"{name} has {waiting} charges to deliver" if waiting else None


def lag(workers: WorkerStatuses, name: str, ends: Ends) -> tuple[int, int]:
    """(records read, records there are) of a worker's inputs: for a progress bar."""
    status = workers.status(name)
    wanted: Sequence[tuple[tuple[str, int], int]] = [(w, e) for w, e in ends.items() if w[0] in inputs_of(name)]
    total = sum(end for _, end in wanted)
    if status is None:
        return 0, total
    partitions = status["partitions"]
    done = 0
    for (topic, number), end in wanted:
        reached = status["follows"].get(topic)
        partition = partitions.get(str(number))
        if reached is None and partition is not None and topic not in partition["reached"]:
            total -= end  # declared, but nothing here reads it
            continue
        if reached is None:
            reached = 0 if partition is None else partition["reached"][topic]
        done += min(max(reached, 0), end)
    return done, total


def unsent(pool: Pool) -> int:
    """Announcements of the sinks that are not with the broker yet."""
    return sum(
        Outbox(pool, topic).unsent()
        for topic in (topic_names.ERP_POSTINGS, topic_names.INVOICE_STATUS, topic_names.BILLING_EXCEPTIONS)
    )
