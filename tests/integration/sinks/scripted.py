"""A target that does what a test says, and what its deliveries came to."""

import time
from collections.abc import Callable, Sequence

from rating.model.ids import exception_id
from schemas.codec import encode
from schemas.json_codec import from_json
from sinks.delivery.memory_target import MemoryTarget
from sinks.delivery.stats import DeliveryStats, delivery_stats
from sinks.delivery.target import DeliveryAnswer
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.delivering import await_that

Hook = Callable[[Sequence[ChargeRecord]], None]


class Scripted(MemoryTarget):
    """Does what a test says before each call, and notes the calls."""

    def __init__(self, before: Hook = lambda _: None, name: str = "memory", largest_group: int = 10) -> None:
        super().__init__(name, largest_group)
        self.before = before
        self.forgiving = False  # takes what it would refuse
        self.calls: list[tuple[float, list[str]]] = []

    def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
        self.calls.append((time.monotonic(), [charge["charge_id"] for charge in charges]))
        self.before(charges)
        return super().deliver(
            [{**charge, "legal_entity": "LE-9"} for charge in charges] if self.forgiving else charges
        )


class Failing:
    """A hook that fails its first calls."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error = times, error

    def __call__(self, charges: Sequence[ChargeRecord]) -> None:
        if self.left:
            self.left -= 1
            raise self.error


def announced(pool: Pool, topic: str) -> list[dict[str, object]]:
    """The records in the outbox, each held to its schema."""
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT key, value FROM hourstream.outbox WHERE topic = %s ORDER BY seq", (topic,)
        ).fetchall()
    for key, value in rows:
        assert key == value["engagement_id"]
        assert encode(topic, from_json(topic, value))
    return [value for _, value in rows]


def told(pool: Pool, of: ChargeRecord) -> list[tuple[object, ...]]:
    """(code, status, attempts) of what billing.exceptions is told of a charge, in order."""
    subject = f"posting:{of['charge_id']}"
    records = [each for each in announced(pool, "billing.exceptions") if each["subject"] == subject]
    assert {each["exception_id"] for each in records} <= {exception_id(of["engagement_id"], subject)}
    assert [each["revision"] for each in records] == list(range(1, len(records) + 1))
    return [(each["code"], each["status"], each["attempts"]) for each in records]


def only(pool: Pool) -> DeliveryStats:
    """The standing of the one target there is, once somebody delivers to it."""
    await_that(lambda: bool(delivery_stats(pool)), lambda: "nobody delivers")
    (found,) = delivery_stats(pool)
    return found


def id_of(charge: ChargeRecord) -> str:
    """Its id."""
    return charge["charge_id"]
