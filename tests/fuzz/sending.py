"""Sends good and bad records as producers do that check nothing, and keeps where the broker put each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaError, Producer

from streaming.transactions import producer_config
from tests.fuzz.bad_records import Bad
from tests.fuzz.world import Good

Position = tuple[str, int, int]
_AT_ONCE = 200  # records under way: bad ones can be large


@dataclass(slots=True)
class Sent:
    """What the broker took, by position, and how many bad records it refused for their size."""

    good: dict[Position, Good] = field(default_factory=dict)
    bad: dict[Position, Bad] = field(default_factory=dict)
    refused: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """All records that are there."""
        return len(self.good) + len(self.bad)


class Sender:
    """One producer; `finish` returns when all was acknowledged."""

    def __init__(self, broker: str) -> None:
        self.sent = Sent()
        self._producer = Producer(producer_config(broker))

    def good(self, good: Good, key: str, value: bytes) -> None:
        """A record that must go through."""
        self._send(good, good.topic, key.encode(), value, [])

    def bad(self, bad: Bad) -> None:
        """A record to be set aside, or to be taken as it is."""
        self._send(bad, bad.topic, bad.key, bad.value, bad.headers)

    def finish(self) -> Sent:
        """What was sent."""
        assert self._producer.flush(300) == 0
        assert self.sent.failed == []
        return self.sent

    def _send(
        self,
        each: Good | Bad,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> None:
        self._producer.produce(topic, value, key, headers=list(headers), on_delivery=partial(self._acknowledged, each))
        self._producer.poll(0)
        while len(self._producer) > _AT_ONCE:
            self._producer.poll(0.1)

    def _acknowledged(self, each: Good | Bad, error: KafkaError | None, message: object) -> None:
        if error is None:
            at: Position = message.topic(), message.partition(), message.offset()  # type: ignore[attr-defined]
            where: Mapping[Position, Good | Bad] = self.sent.good if isinstance(each, Good) else self.sent.bad
            where[at] = each  # type: ignore[index]
        elif isinstance(each, Bad) and error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD):
            self.sent.refused += 1
        else:
            self.sent.failed.append(f"{each.topic}: {error}")
