"""Which records a broker refuses for their size.

The setting of a topic limits what is sent, which is compressed. So a record that is larger than its setting is tried,
by itself, in a transaction that is aborted. After a refusal the client has skipped a sequence number and would fail
with the next record, so the producer is made anew.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import ConfigResource, ResourceType

from streaming.admin import admin_client
from streaming.batch import Output
from streaming.decider import ROWS, Limits, size_of

_SECONDS = 30.0


class _Tried(NamedTuple):
    """A record as it is given to the client; `place` is its topic in `Limits`."""

    place: str
    size: int
    record: Mapping[str, Any]


def sizes_refused(
    fresh: Callable[[], Producer],
    broker: str,
    changelog: str,
    partition: int,
    outputs: Sequence[Output],
    rows: Mapping[bytes, bytes | None],
) -> Limits:
    """By topic the smallest size that is refused; `fresh` makes the producer anew. Raises KafkaException."""
    allowed = sizes_allowed(broker, changelog, {output.topic for output in outputs})
    tried = [_output(output) for output in outputs]
    tried += [
        _Tried(ROWS, size_of(key, row), {"topic": changelog, "key": key, "value": row, "partition": partition})
        for key, row in rows.items()
    ]
    refused: dict[str, int] = {}
    for each in sorted(tried, key=attrgetter("size")):
        if each.size >= allowed[each.place] and each.place not in refused and _is_refused(fresh(), each.record):
            refused[each.place] = each.size
    return refused


def sizes_allowed(broker: str, changelog: str, topics: Iterable[str]) -> dict[str, int]:
    """By topic the size that its setting `max.message.bytes` allows. Raises KafkaException."""
    resources = {topic: ConfigResource(ResourceType.TOPIC, topic) for topic in {*topics, changelog}}
    admin = admin_client(broker)  # it has to live until it has answered
    found = admin.describe_configs(list(resources.values()), request_timeout=30)
    sizes = {topic: int(found[each].result(30)["max.message.bytes"].value) for topic, each in resources.items()}
    return {**sizes, ROWS: sizes[changelog]}


def _output(output: Output) -> _Tried:
    record: dict[str, Any] = {"topic": output.topic, "key": output.key, "value": output.value}
    record["headers"] = list(output.headers)
    if output.partition is not None:
        record["partition"] = output.partition
    return _Tried(output.topic, size_of(output.key, output.value, output.headers), record)


def _is_refused(producer: Producer, record: Mapping[str, Any]) -> bool:
    answers: list[KafkaError | None] = []
    producer.begin_transaction()
    try:
        producer.produce(**record, on_delivery=lambda refusal, _: answers.append(refusal))
    except KafkaException as refused:  # the client itself has a limit
        answers.append(refused.args[0])
    deadline = time.monotonic() + _SECONDS
    while not answers and time.monotonic() < deadline:
        producer.poll(0.1)
    producer.abort_transaction(60)
    answer = answers[0] if answers else KafkaError(KafkaError._TIMED_OUT)
    if answer is not None and answer.code() != KafkaError.MSG_SIZE_TOO_LARGE:
        raise KafkaException(answer)
    return answer is not None
