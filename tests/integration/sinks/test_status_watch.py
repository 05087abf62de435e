"""Asking a target what became of its invoices: told once, whatever ends the asking, and nothing else waits for it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.errors import SinkFenced
from invoicing.status_intake import EVENTS_TOPIC
from schemas.codec import encode
from schemas.json_codec import from_json
from sinks.delivery.memory_target import MemoryTarget
from sinks.delivery.poll_state import Begun, PollState
from sinks.delivery.rate_limit import CallPolicy
from sinks.delivery.stats import DeliveryFigures, TargetStats
from sinks.delivery.status_poller import StatusPoller
from sinks.delivery.status_source import PaymentRecord, PollCursor, PollResult, StatusRecord
from sinks.delivery.target import DeliveryAnswer, TargetUnavailable
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.delivering import PATIENCE, QUICK, await_delivered, await_that, delivering
from tests.contract.sinks.sink_charges import batch, charge
from tests.integration.sinks.scripted import only

AT = datetime(2025, 4, 1, 12, tzinfo=UTC)
OFTEN = 0.05  # seconds


def event(n: int) -> StatusRecord:
    """The n-th thing that became of an invoice."""
    return StatusRecord(
        system="memory",
        invoice=f"I-{n}",
        event_id=f"e{n}",
        reference=None,
        status="paid",
        payment=PaymentRecord(amount=Decimal("12.50"), currency="EUR", reference="BANK-1"),
        charge_ids=["c1", "c2"],
        amount=Decimal(120),
        currency="EUR",
        at=AT + timedelta(seconds=n),
        revision=1,
    )


class Teller(MemoryTarget):
    """A target of charges with `events` to tell, at most three a look, that does what a test says before each look."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        super().__init__("memory", 10)
        self.events: list[StatusRecord] = []
        self.before = before
        self.looks: list[tuple[float, object]] = []

    def look(self, cursor: PollCursor | None) -> PollResult:
        told = 0 if cursor is None else int(str(cursor["told"]))
        self.looks.append((time.monotonic(), told))
        self.before()
        new = self.events[told : told + 3]
        return PollResult(new, {"told": told + len(new)}, told + len(new) < len(self.events))


@contextmanager
def watching(
    pool: Pool, target: Teller, policy: CallPolicy = QUICK, every: float = OFTEN, chance: float = 0.5
) -> Iterator[StatusPoller]:
    """Somebody who asks, in a thread of the test."""
    watch = StatusPoller(target, pool, policy, every, lambda: chance)
    thread = threading.Thread(target=watch.run, name="watch")
    thread.start()
    try:
        yield watch
    finally:
        watch.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def told(pool: Pool) -> list[str]:
    """The ids of the events in the outbox, each a record of its topic under its key."""
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT key, value FROM hourstream.outbox WHERE topic = %s ORDER BY seq", (EVENTS_TOPIC,)
        ).fetchall()
    for key, value in rows:
        assert key == f"{value['system']}:{value['invoice']}"
        assert encode(EVENTS_TOPIC, from_json(EVENTS_TOPIC, value))
    return [str(value["event_id"]) for _, value in rows]


def standing_of(pool: Pool) -> TargetStats:
    """How the asking stands."""
    with delivering(pool, MemoryTarget("memory", 1)):
        found = only(pool).statuses
    assert found is not None
    return found


def test_what_is_new_is_told_once_by_one_watch_after_another(pool: Pool) -> None:
    target = Teller()
    target.events = [event(n) for n in range(7)]
    with watching(pool, target):
        await_that(lambda: len(told(pool)) == 7, lambda: f"{told(pool)}")
        target.events += [event(7)]
        await_that(lambda: len(told(pool)) == 8, lambda: f"{told(pool)}")
    assert [told for _, told in target.looks[:3]] == [0, 3, 6]  # three looks at once: each said that there is more
    target.events += [event(8)]
    with watching(pool, target):
        await_that(lambda: len(told(pool)) == 9, lambda: f"{told(pool)}")
    assert told(pool) == [f"e{n}" for n in range(9)]
    stands = standing_of(pool)
    assert (stands.breaker, stands.reason) == ("closed", None)
    assert stands.lag < PATIENCE
    figures = DeliveryFigures(pool, "memory").totals()
    assert figures["delivery", "total_status_told", "memory"] == 9
    assert figures["delivery", "status_breaker", "memory"] == 0


def test_who_begins_again_asks_no_sooner_than_who_goes_on(pool: Pool) -> None:
    target = Teller()
    for _ in range(5):
        with watching(pool, target, every=60.0):
            await_that(lambda: bool(target.looks), lambda: "never asked")
    assert len(target.looks) == 1


def test_a_target_that_is_away_is_probed_and_tells_everything_once_it_is_back(pool: Pool) -> None:
    away = threading.Event()
    away.set()

    def before() -> None:
        if away.is_set():
            raise TargetUnavailable("down for repairs")

    target = Teller(before)
    target.events = [event(0)]
    policy = CallPolicy(first_pause=0.001, longest_pause=0.002, breaker_failures=3, breaker_pause=0.4)
    with watching(pool, target, policy, chance=0.0):
        await_that(lambda: len(target.looks) >= 5, lambda: "not asked again")
        times = [at for at, _ in target.looks]
        assert times[3] - times[2] >= 0.2  # the third failure opened the breaker: half its pause, by that chance
        assert times[4] - times[3] >= 0.4
        stands = standing_of(pool)
        assert stands.until is None
        assert stands.reason == "down for repairs"
        assert stands.breaker != "closed"
        away.clear()
        await_that(lambda: told(pool) == ["e0"], lambda: "not told")
    assert standing_of(pool).breaker == "closed"


def test_a_pause_that_deliveries_were_asked_for_is_kept_by_looks_too(pool: Pool) -> None:
    target = Teller()
    with delivering(pool, target) as sink:
        sink.write(batch(0, [charge("a")]))
        await_delivered(pool, "memory")
    with pool.connection() as connection:
        connection.execute("UPDATE hourstream.delivery_targets SET paused_until = now() + interval '60 s'")
    left = PollState(pool, "memory").begin(1.0)
    assert isinstance(left, float)
    assert 50 < left <= 60


def test_an_answer_that_nobody_foresaw_is_a_failure_and_not_the_end(pool: Pool) -> None:
    wrong = [KeyError("state"), KeyError("state")]

    def before() -> None:
        if wrong:
            raise wrong.pop()

    target = Teller(before)
    target.events = [event(0)]
    with watching(pool, target):
        await_that(lambda: told(pool) == ["e0"], lambda: "not told")
    assert DeliveryFigures(pool, "memory").totals() == {}  # nobody has delivered yet
    with pool.connection() as connection:
        counts = connection.execute("SELECT total FROM hourstream.delivery_counts WHERE name = 'status_unanswered'")
        assert counts.fetchone() == (2,)


def test_of_two_who_look_at_the_same_time_one_records(pool: Pool) -> None:
    slow, quick = PollState(pool, "memory"), PollState(pool, "memory")
    first = slow.begin(0.0)  # slower than its interval
    second = quick.begin(60.0)
    assert isinstance(first, Begun)
    assert isinstance(second, Begun)
    assert isinstance(slow.begin(0.0), float)
    quick.record(second, PollResult([event(0)], {"told": 1}), 60.0)
    with pytest.raises(SinkFenced, match="another process has looked"):
        slow.record(first, PollResult([event(0), event(1)], {"told": 2}), 60.0)
    slow.fail(first, "too late to matter", 60.0, breaker=True)
    assert told(pool) == ["e0"]
    assert standing_of(pool).reason is None


def test_deliveries_go_on_while_a_look_takes_its_time(pool: Pool) -> None:
    looking, enough = threading.Event(), threading.Event()

    class Slow(Teller):
        def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
            assert looking.is_set()
            return super().deliver(charges)

    def before() -> None:
        looking.set()
        enough.wait(PATIENCE)

    target = Slow(before)
    with watching(pool, target), delivering(pool, target) as sink:
        assert looking.wait(PATIENCE)
        sink.write(batch(0, [charge(str(n)) for n in range(20)]))
        await_delivered(pool, "memory")
        assert len(target.looks) == 1
        enough.set()
