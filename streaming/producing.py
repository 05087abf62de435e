"""The loop around `Producer.produce`: it waits for room where librdkafka's queue is full, and serves deliveries."""

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaError, Message, Producer

Delivered = Callable[[KafkaError | None, Message], None]
_ROOM_SECONDS = 0.1


def produce(
    producer: Producer,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Mapping[str, bytes] | Sequence[tuple[str, bytes]] = (),
    on_delivery: Delivered | None = None,
) -> None:
    """Hand a record to the producer. Raises KafkaException for one that the client itself refuses."""
    given = dict(headers) if isinstance(headers, Mapping) else list(headers)
    while True:
        try:
            producer.produce(topic, value, key, headers=given, on_delivery=on_delivery)
            break
        except BufferError:
            producer.poll(_ROOM_SECONDS)
    producer.poll(0)
