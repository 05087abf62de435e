"""Deliveries: what a target that is away, slow or odd does to its queue, and to nothing else."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

import psycopg
import pytest

from common.errors import SinkFenced
from sinks.delivery.leader_lock import leading
from sinks.delivery.memory_target import MemoryTarget
from sinks.delivery.queue import DeliverySink
from sinks.delivery.rate_limit import CallPolicy
from sinks.delivery.repository import DeliveryRepository
from sinks.delivery.stats import delivery_stats
from sinks.delivery.target import DeliveryAnswer, GroupRefused, TargetUnavailable
from sinks.journal import Journal
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool, open_pool
from tests.contract.sinks.delivering import QUICK, await_delivered, await_that, delivering, states
from tests.contract.sinks.sink_charges import batch, charge
from tests.integration.sinks.scripted import Failing, Scripted, announced, id_of, only


def test_an_unanswered_call_is_repeated_with_the_same_charges(pool: Pool) -> None:
    target = Scripted(Failing(2, TargetUnavailable("busy")))
    with delivering(pool, target) as sink:
        sink.write(batch(0, [charge("a"), charge("b")]))
        await_delivered(pool, "memory")
    assert [ids for _, ids in target.calls] == [[id_of(charge("a")), id_of(charge("b"))]] * 3
    assert only(pool).counts == {"posted": 2, "answered": 1, "unanswered": 2, "retried": 2}
    assert announced(pool, "billing.exceptions") == []


def test_while_a_target_is_away_one_probe_at_a_time_asks_for_it(pool: Pool) -> None:
    out, most = Counter[str](), list[int]()
    away = threading.Event()
    away.set()

    def before(charges: Sequence[ChargeRecord]) -> None:
        out["now"] += 1
        most.append(out["now"])
        time.sleep(0.02)
        out["now"] -= 1
        if away.is_set():
            raise TargetUnavailable("away")

    target = Scripted(before, largest_group=5)
    policy = CallPolicy(
        breaker_failures=3, breaker_pause=0.2, longest_breaker_pause=0.2, first_pause=0.01, longest_pause=0.05
    )
    with delivering(pool, target, policy) as sink:
        sink.write(batch(0, [charge(str(n), engagement_id=f"E-{n}") for n in range(60)]))
        await_that(lambda: only(pool).counts.get("opened", 0) >= 4, lambda: f"not open: {delivery_stats(pool)}")
        calls = len(target.calls)
        assert calls <= 3 + policy.concurrency + 4 + 1  # until it opened, those on their way then, the probes
        assert all(len(ids) == 1 for _, ids in target.calls[calls - 3 :])
        assert max(most[-3:]) == 1
        away.clear()
        await_delivered(pool, "memory")
    assert len(target.posted) == 60


def test_what_a_target_asks_for_is_obeyed_also_by_the_next_process(pool: Pool) -> None:
    target = Scripted(Failing(1, TargetUnavailable("slow down", retry_after=1.5)))
    with delivering(pool, target) as sink:
        sink.write(batch(0, [charge(str(n), engagement_id=f"E-{n}") for n in range(30)]))
        await_that(lambda: only(pool).paused_for > 0, lambda: "no pause")
    asked, begun = target.calls[0][0], len(target.calls)
    with delivering(pool, target):
        await_delivered(pool, "memory")
    assert target.calls[begun][0] - asked >= 1.4


def test_a_charge_that_the_target_chokes_on_holds_up_its_engagement_only(pool: Pool) -> None:
    poison = charge("poison", engagement_id="E-1")

    def before(charges: Sequence[ChargeRecord]) -> None:
        if any(id_of(each) == id_of(poison) for each in charges):
            raise TargetUnavailable("500")

    target = Scripted(before)
    others = [charge(str(n), engagement_id=f"E-{n}") for n in range(1, 40)]
    with delivering(pool, target) as sink:
        sink.write(batch(0, [charge("first", engagement_id="E-1"), poison, *others]))
        expected = {id_of(poison): "waiting", id_of(others[0]): "waiting"}
        await_that(
            lambda: {key: state for key, state in states(pool, "memory").items() if state != "posted"} == expected,
            lambda: f"{len(target.posted)} of 39 posted",
        )
        # ... also those that come while it is the only one, and keeps the breaker open
        await_that(lambda: only(pool).breaker != "closed", lambda: "not open")
        late = [charge(f"late {n}", engagement_id=f"E-{n}") for n in range(50, 60)]
        sink.write(batch(42, late, end=60))
        await_that(lambda: set(map(id_of, late)) <= set(target.posted), lambda: "late ones are held up")
        assert id_of(others[0]) not in target.posted  # E-1's own order


def test_a_call_refused_as_a_whole_is_offered_one_by_one(pool: Pool) -> None:
    bad = charge("bad", engagement_id="E-3", legal_entity="")

    def before(charges: Sequence[ChargeRecord]) -> None:
        if len(charges) > 1 and bad in charges:
            raise GroupRefused("one of them is wrong")

    target = Scripted(before)
    with delivering(pool, target) as sink:
        sink.write(batch(0, [*(charge(str(n), engagement_id=f"E-{n}") for n in range(5)), bad]))
        await_delivered(pool, "memory")
    assert len(target.posted) == 5
    assert [len(ids) for _, ids in target.calls].count(1) == 6
    assert only(pool).counts["refused"] == 1
    assert "unanswered" not in only(pool).counts


def test_engagements_do_not_wait_for_each_other_and_each_keeps_its_order(pool: Pool) -> None:
    slow = threading.Event()

    def before(charges: Sequence[ChargeRecord]) -> None:
        if charges[0]["engagement_id"] == "E-0":
            slow.wait(30)

    target = Scripted(before, largest_group=3)
    charges = [charge(f"{n}", engagement_id=f"E-{n % 5}") for n in range(100)]
    with delivering(pool, target, CallPolicy(concurrency=2)) as sink:
        sink.write(batch(0, [charge(f"head {n}", engagement_id="E-0", currency="JPY") for n in range(400)] + charges))
        others = {id_of(each) for each in charges if each["engagement_id"] != "E-0"}
        await_that(lambda: others <= set(target.posted), lambda: f"{len(target.posted)} posted")
        assert sum(each["engagement_id"] == "E-0" for each in target.posted.values()) == 0
        slow.set()
        await_delivered(pool, "memory")
    for n in range(5):
        mine = [id_of(each) for each in target.posted.values() if each["engagement_id"] == f"E-{n}"]
        order = [key for key in states(pool, "memory") if key in set(mine)]
        assert mine == order


def test_a_slow_target_with_a_long_queue_does_not_slow_the_journal(pool: Pool) -> None:
    """Generously: the figures are in `make soak-sinks`."""

    def posting(n: int) -> float:
        began = time.monotonic()
        for at in range(20):
            charges = [charge(f"{n}-{at}-{each}") for each in range(50)]
            journal.write(batch((n * 20 + at) * 50, charges, end=(n * 20 + at + 1) * 50))
        return time.monotonic() - began

    journal = Journal(pool)
    posting(0)
    alone = posting(1)
    target = Scripted(largest_group=1)
    with delivering(pool, target, CallPolicy(per_second=5)) as sink:
        sink.write(batch(0, [charge(str(n), engagement_id=f"E-{n % 9}") for n in range(3000)]))
        assert posting(2) < 5 * alone + 1
    assert len(target.posted) < 3000


def test_no_more_than_a_window_of_the_queue_is_in_memory(pool: Pool) -> None:
    DeliverySink(pool, MemoryTarget()).write(
        batch(0, [charge(str(n), engagement_id=f"E-{n % 50}") for n in range(3000)])
    )
    most = list[int]()
    real = DeliveryRepository.waiting

    class Watched(MemoryTarget):
        def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
            most.append(len(charges))
            return super().deliver(charges)

    def waiting(self: DeliveryRepository, without: Sequence[str], limit: int, of_one: int) -> object:
        found = real(self, without, limit, of_one)
        most.append(len(found))
        assert len(found) <= limit <= 200
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeliveryRepository, "waiting", waiting)
        with delivering(pool, Watched()):
            await_delivered(pool, "memory")
    assert max(most) <= 200


def test_of_two_processes_one_delivers_and_the_other_takes_over(pool: Pool) -> None:
    first, second = Scripted(), Scripted()
    second.posted = first.posted
    with delivering(pool, first) as sink:
        sink.write(batch(0, [charge("a")]))
        await_delivered(pool, "memory")
        with delivering(pool, second):
            sink.write(batch(2, [charge("b")]))
            await_delivered(pool, "memory")
            assert (len(first.calls), len(second.calls)) == (2, 0)
    with delivering(pool, second) as sink:
        sink.write(batch(4, [charge("c")]))
        await_delivered(pool, "memory")
    assert (len(first.calls), len(second.calls)) == (2, 1)


def test_one_that_lost_its_lead_while_it_slept_records_nothing_more(pool: Pool, database: str) -> None:
    DeliverySink(pool, MemoryTarget()).write(batch(0, [charge("a")]))
    with leading(pool, "memory", lambda _: False) as asleep:
        assert asleep is not None
        with psycopg.connect(database, autocommit=True) as server:  # what the server does to a session that is silent
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        with leading(pool, "memory", lambda _: False) as next_one:
            assert next_one is not None
            assert next_one.epoch == asleep.epoch + 1
            late = DeliveryRepository(pool, "memory", asleep.epoch)
            with pytest.raises(SinkFenced, match="another process delivers to memory now"):
                late.answered([DeliveryAnswer(id_of(charge("a")), "posted", "X")], retried=False)
            with pytest.raises(SinkFenced):
                late.divided([id_of(charge("a"))])
            assert list(states(pool, "memory").values()) == ["waiting"]


def test_a_database_that_restarts_is_waited_for(pool: Pool, database: str) -> None:
    target = Scripted(largest_group=1)
    target.before = lambda _: time.sleep(0.02)
    with open_pool(database) as own, delivering(own, target) as sink:
        sink.write(batch(0, [charge(str(n), engagement_id=f"E-{n % 7}") for n in range(100)]))
        for _ in range(3):
            seen = len(target.calls) + 5
            await_that(lambda seen=seen: len(target.calls) > seen, lambda: "no more calls")  # type: ignore[misc]
            with psycopg.connect(database, autocommit=True) as server:
                server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        with open_pool(database) as fresh:
            await_delivered(fresh, "memory")
    assert len(target.posted) == 100


def test_a_charge_for_which_an_adapter_gives_no_answer_is_refused_and_the_next_ones_are_delivered(pool: Pool) -> None:
    target = MemoryTarget()
    deliver = target.deliver

    def defective(charges: Sequence[ChargeRecord]) -> list[DeliveryAnswer]:
        if any(one["engagement_id"] == "E-A" for one in charges):
            return [DeliveryAnswer("another", "posted", "X")]
        return list(deliver(charges))

    target.deliver = defective  # type: ignore[method-assign]
    with delivering(pool, target, QUICK) as sink:
        sink.write(batch(0, [charge("a", engagement_id="E-A"), charge("b", engagement_id="E-B")]))
        await_that(lambda: "waiting" not in states(pool, "memory").values(), lambda: str(states(pool, "memory")))
    assert sorted(states(pool, "memory").values()) == ["posted", "refused"]


def test_a_rate_is_held_and_used(pool: Pool) -> None:
    target = Scripted(largest_group=1)
    with delivering(pool, target, CallPolicy(per_second=40, burst=1)) as sink:
        sink.write(batch(0, [charge(str(n), engagement_id=f"E-{n}") for n in range(60)]))
        await_delivered(pool, "memory")
    begun = [at for at, _ in target.calls]
    assert len(begun) == 60
    assert begun[-1] - begun[0] >= 59 / 40 - 0.05
