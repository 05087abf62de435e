"""Records onto the input topic: a backlog that becomes visible in one moment, or a steady trickle."""

import time
from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streaming.transactions import producer_config

Pair = tuple[bytes, bytes]
_TICK = 0.005


class _Sender:
    """A producer that raises for whatever was not acknowledged."""

    def __init__(self, config: dict[str, object], appended: Callable[[Message], None] = lambda _: None) -> None:
        self.producer = Producer({**config, "log_level": 3})
        self._failed: list[KafkaError] = []
        self._appended = appended

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self.producer.produce(topic, value, key, on_delivery=self._done)
                return
            except BufferError:
                self.producer.poll(0.1)

    def _done(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(error)
        else:
            self._appended(message)

    def finish(self) -> None:
        unsent = self.producer.flush(120)
        if unsent or self._failed:
            raise KafkaException(self._failed[0] if self._failed else KafkaError(KafkaError._TIMED_OUT))


def publish_at_once(broker: str, topic: str, records: Iterable[Pair], before_commit: Callable[[], None]) -> None:
    """All records in one transaction: readers of committed records see none of them until all are there.

    `before_commit` is called at the last moment before; so the load costs the measured window nothing.
    """
    sender = _Sender(
        {**producer_config(broker), "transactional.id": f"bench-load-{topic}", "transaction.timeout.ms": 300_000}
    )
    sender.producer.init_transactions(60)
    sender.producer.begin_transaction()
    for key, value in records:
        sender.send(topic, key, value)
    sender.finish()
    before_commit()
    sender.producer.commit_transaction(60)


def publish_steadily(
    broker: str, topic: str, records: Sequence[Pair], a_second: int, id_of: Callable[[bytes], str]
) -> dict[str, int]:
    """`records` at an even pace -> when the broker appended each, {id: epoch milliseconds}."""
    appended: dict[str, int] = {}

    def note(message: Message) -> None:
        value = message.value()
        appended[id_of(value if isinstance(value, bytes) else b"")] = int(message.timestamp()[1])

    sender = _Sender({**producer_config(broker), "linger.ms": 0}, note)
    began, sent = time.monotonic(), 0
    while sent < len(records):
        due = min(int((time.monotonic() - began) * a_second), len(records))
        for key, value in records[sent:due]:
            sender.send(topic, key, value)
        sent = due
        sender.producer.poll(_TICK)
    sender.finish()
    return appended
