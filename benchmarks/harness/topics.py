"""The topics of one run, made for it and deleted after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
_SECONDS = 30.0
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


class Topics(NamedTuple):
    """Names of one run; every contender names its own changelog after the application but ours."""

    app: str
    input: str
    output: str
    changelog: str


@contextmanager
def topics(broker: str, run: str) -> Iterator[Topics]:
    """Fresh ones for `run`; whatever bears its name is deleted at the end."""
    made = Topics(f"bench-{run}", f"bench-{run}.in", f"bench-{run}.out", f"bench-{run}.changelog")
    admin = AdminClient({"bootstrap.servers": broker})
    compacted = {**_APPEND_TIME, "cleanup.policy": "compact"}
    orders = [
        NewTopic(made.input, PARTITIONS, 1, config=_APPEND_TIME),
        NewTopic(made.output, PARTITIONS, 1, config=_APPEND_TIME),
        NewTopic(made.changelog, PARTITIONS, 1, config=compacted),
    ]
    for answer in admin.create_topics(orders, operation_timeout=_SECONDS).values():
        answer.result(_SECONDS)
    try:
        yield made
    finally:
        ours = [name for name in admin.list_topics(timeout=_SECONDS).topics if made.app in name]
        for answer in admin.delete_topics(ours, operation_timeout=_SECONDS).values():
            answer.result(_SECONDS)
