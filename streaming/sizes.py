"""Which records a broker refuses for their size: found by trying them, or by the settings of their topics."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import ConfigResource, ResourceType

from streaming.admin import admin_client
from streaming.batch import Output
from streaming.decider import ROWS, Limits, size_of


def sizes_refused(
    producer: Producer, changelog: str, partition: int, outputs: Sequence[Output], rows: Mapping[bytes, bytes | None]
) -> Limits:
    """By topic the smallest size that is refused, in a transaction that is aborted. Raises KafkaException."""
    refused: dict[str, int] = {}

    def produce(place: str, topic: str, key: bytes | None, value: bytes | None, size: int, **more: Any) -> None:  # noqa: ANN401
        def done(error: KafkaError | None, _message: object = None) -> None:
            if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                refused[place] = min(size, refused.get(place, size))

        _waiting(producer, lambda: producer.produce(topic, value, key, on_delivery=done, **more), done)

    producer.begin_transaction()
    for output in outputs:
        where = {} if output.partition is None else {"partition": output.partition}
        size = size_of(output.key, output.value, output.headers)
        produce(output.topic, output.topic, output.key, output.value, size, headers=list(output.headers), **where)
    for key, row in rows.items():
        produce(ROWS, changelog, key, row, size_of(key, row), partition=partition)
    producer.flush(60)
    producer.abort_transaction(60)
    return refused


def _waiting(producer: Producer, produce: Callable[[], None], done: Callable[[KafkaError], None]) -> None:
    """Produce when the queue has room; a record that the client itself refuses is `done` at once."""
    while True:
        try:
            produce()
            return
        except BufferError:
            producer.poll(0.1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise
            done(error.args[0])
            return


def largest_records(broker: str, topics: Iterable[str]) -> dict[str, int]:
    """By topic the size its setting `max.message.bytes` allows. Raises KafkaException."""
    resources = {topic: ConfigResource(ResourceType.TOPIC, topic) for topic in topics}
    found = admin_client(broker).describe_configs(list(resources.values()), request_timeout=30)
    return {topic: int(found[each].result(30)["max.message.bytes"].value) for topic, each in resources.items()}


def lowest(one: Limits, other: Limits) -> Limits:
    """Of each topic the smaller limit."""
    return {topic: min(limits[topic] for limits in (one, other) if topic in limits) for topic in {*one, *other}}
