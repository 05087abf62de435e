"""Deliveries: what becomes of an answer, and of none, until every charge is posted or come to nothing."""

import time
from collections import Counter
from collections.abc import Sequence

import pytest

from rating.model.ids import posting_id
from sinks.delivery.memory_target import MemoryTarget
from sinks.delivery.queue import DeliverySink
from sinks.delivery.rate_limit import CallPolicy
from sinks.delivery.replay import Replayed, Selection, replay
from sinks.delivery.repository import CANCELLED
from sinks.delivery.stats import listed, replays
from sinks.delivery.target import DeliveryAnswer, GroupRefused, TargetMisconfigured, TargetUnavailable, TargetUnclear
from sinks.routing_policy import Routes, RoutingPolicy
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.delivering import await_delivered, await_that, delivering, states
from tests.contract.sinks.sink_charges import batch, charge, reversal
from tests.integration.sinks.scripted import Failing, Scripted, announced, id_of, only, told
from topics.catalogue import CHARGES_TOPIC


def test_an_answer_is_recorded_announced_and_counted(pool: Pool) -> None:
    good, bad = charge("good"), charge("bad", legal_entity="")
    with delivering(pool, MemoryTarget()) as sink:
        sink.write(batch(0, [good, bad]))
        await_delivered(pool, "memory")
    postings = announced(pool, "erp.postings")
    assert [(p["posting_id"], p["system"], p["status"], p["reference"], p["reason"]) for p in postings] == [
        (posting_id(id_of(good), "memory"), "memory", "posted", "M-1", None),
        (posting_id(id_of(bad), "memory"), "memory", "refused", "", "no legal entity"),
    ]
    assert [each.state for each in listed(pool, Selection())] == ["posted", "refused"]
    assert only(pool).counts == {"posted": 1, "refused": 1, "answered": 1}
    assert (only(pool).waiting, only(pool).refused) == (0, 1)


def test_a_refused_charge_is_an_exception_until_a_replay_posts_it(pool: Pool) -> None:
    bad, other = charge("bad", legal_entity=""), charge("other")
    target = Scripted()
    with delivering(pool, target) as sink:
        sink.write(batch(0, [bad, other]))
        await_delivered(pool, "memory")
        assert list(target.posted) == [id_of(other)]
        assert told(pool, bad) == [("ERP_REFUSED", "open", 1)]
        message = str(announced(pool, "billing.exceptions")[0]["message"])
        assert message.startswith("memory refused it: no legal entity; ")
        assert f"hourstream deliveries replay {id_of(bad)}" in message

        assert replay(pool, Selection(charge_id=id_of(bad)), "try", "ann") == [
            Replayed(id_of(bad), "memory", "refused")
        ]
        await_that(lambda: len(told(pool, bad)) == 2, lambda: "not refused again")
        assert told(pool, bad)[1] == ("ERP_REFUSED", "open", 2)

        target.forgiving = True
        replay(pool, Selection(charge_id=id_of(bad)), "the entity is known there now", "ann")
        await_that(lambda: len(told(pool, bad)) == 3, lambda: "not resolved")
    assert told(pool, bad)[2] == ("ERP_REFUSED", "resolved", 2)
    assert id_of(bad) in target.posted
    revisions = [(p["status"], p["revision"]) for p in announced(pool, "erp.postings") if p["charge_id"] == id_of(bad)]
    assert revisions == [("refused", 1), ("refused", 2), ("posted", 3)]


def test_whatever_a_target_says_can_be_kept(pool: Pool) -> None:
    odd = "no\0 \ud800 " + "x" * 5000

    class Odd(Scripted):
        def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
            if not self.calls:
                self.calls.append((0.0, []))
                raise TargetUnavailable(odd)
            return [
                DeliveryAnswer(id_of(charges[0]), "posted", odd),
                DeliveryAnswer(id_of(charges[1]), "refused", reason=odd),
            ]

    with delivering(pool, Odd()) as sink:
        sink.write(batch(0, [charge("a"), charge("b")]))
        await_delivered(pool, "memory")
    posted, refused = listed(pool, Selection())
    assert posted.reference == refused.reason == ("no� ? " + "x" * 5000)[:1000]
    assert len(announced(pool, "erp.postings")) == 2


def test_after_its_budget_a_charge_is_an_exception_that_heals_by_itself(pool: Pool) -> None:
    hook = Failing(10**6, TargetUnavailable("connection refused"))
    policy = CallPolicy(first_pause=0.02, longest_pause=0.1, budget=0.5, breaker_pause=0.05, longest_breaker_pause=0.1)
    with delivering(pool, Scripted(hook), policy) as sink:
        sink.write(batch(0, [charge("a")]))
        await_that(lambda: bool(told(pool, charge("a"))), lambda: "no exception")
        assert told(pool, charge("a")) == [("ERP_UNREACHABLE", "open", 1)]
        await_that(lambda: only(pool).breaker != "closed", lambda: "the breaker is closed")
        (waiting,) = listed(pool, Selection(code="ERP_UNREACHABLE"))
        assert (waiting.state, waiting.reason) == ("waiting", "connection refused")
        hook.left = 0
        await_delivered(pool, "memory")
    assert told(pool, charge("a")) == [("ERP_UNREACHABLE", "open", 1), ("ERP_UNREACHABLE", "resolved", 1)]
    assert only(pool).breaker == "closed"
    assert only(pool).counts["opened"] >= 1


@pytest.mark.parametrize("late", [True, False])
def test_a_refused_charge_and_its_reversal_come_to_nothing_together(pool: Pool, late: bool) -> None:
    first = charge("a", legal_entity="")
    undone, second = reversal(first, legal_entity="LE-1"), charge("a", "90.00", n=2)
    target = MemoryTarget()
    with delivering(pool, target) as sink:
        sink.write(batch(0, [first] if late else [first, undone, second]))
        await_delivered(pool, "memory")
        if late:
            assert told(pool, first) == [("ERP_REFUSED", "open", 1)]
            sink.write(batch(2, [undone, second]))
            await_delivered(pool, "memory")
    assert list(target.posted) == [id_of(second)]
    assert list(states(pool, "memory").values()) == ["cancelled", "cancelled", "posted"]
    assert told(pool, first) == [("ERP_REFUSED", "open", 1), ("ERP_REFUSED", "resolved", 1)]
    reasons = {each["charge_id"]: each["reason"] for each in announced(pool, "erp.postings")}
    assert reasons[id_of(undone)] == CANCELLED


def test_a_cancelled_pair_is_replayed_together_and_in_order(pool: Pool) -> None:
    first = charge("a", legal_entity="")
    undone = reversal(first, legal_entity="LE-1")
    target = Scripted()
    with delivering(pool, target) as sink:
        sink.write(batch(0, [first, undone]))
        await_delivered(pool, "memory")
    willing = Scripted()
    willing.forgiving = True
    found = replay(pool, Selection(charge_id=id_of(undone)), "the ledger needs both", "ann")
    assert sorted(each.charge_id for each in found) == sorted([id_of(first), id_of(undone)])
    with delivering(pool, willing):
        await_delivered(pool, "memory")
    assert [ids for _, ids in willing.calls] == [[id_of(first)], [id_of(undone)]]
    assert [(each.by, each.reason, each.was) for each in replays(pool, id_of(first))] == [
        ("ann", "the ledger needs both", "cancelled")
    ]


def test_replays_take_what_is_selected_and_never_what_is_posted(pool: Pool) -> None:
    bad = [charge(str(n), client_id=f"C-{n % 2}", period=f"2025-0{n + 1}", legal_entity="") for n in range(4)]
    with delivering(pool, MemoryTarget()) as sink:
        sink.write(batch(0, [*bad, charge("good")]))
        await_delivered(pool, "memory")

    def ids(**selection: str) -> list[str]:
        return sorted(each.charge_id for each in replay(pool, Selection(**selection), "try", "ann"))

    assert ids(client_id="C-1") == sorted([id_of(bad[1]), id_of(bad[3])])
    assert ids(period="2025-01", code="ERP_REFUSED") == [id_of(bad[0])]
    assert ids(target="another") == []
    assert ids(engagement_id="E-1", state="refused") == [id_of(bad[2])]
    assert ids() == sorted(map(id_of, bad))
    assert Counter(states(pool, "memory").values()) == {"waiting": 4, "posted": 1}


def test_two_systems_share_the_exception_of_a_charge(pool: Pool) -> None:
    bad = charge("bad", legal_entity="")
    one, two = Scripted(name="one"), Scripted(name="two")
    with delivering(pool, one) as first, delivering(pool, two) as second:
        first.write(batch(0, [bad]))
        second.write(batch(0, [bad]))
        await_delivered(pool, "one")
        await_delivered(pool, "two")
        messages = [str(each["message"]) for each in announced(pool, "billing.exceptions")]
        assert "one refused it: no legal entity; two refused it: no legal entity" in messages[-1]
        for target in (one, two):
            target.forgiving = True
            replay(pool, Selection(charge_id=id_of(bad), target=target.name), "mended there", "ann")
            await_delivered(pool, target.name)
            await_that(lambda t=target: states(pool, t.name) == {id_of(bad): "posted"}, lambda: "not posted")  # type: ignore[misc]
    assert [status for _, status, _ in told(pool, bad)] == ["open", "open", "open", "resolved"]


def test_a_target_is_given_what_routes_give_it_and_each_reversal_goes_where_its_charge_went(pool: Pool) -> None:
    ours, theirs = charge("ours", client_id="C-1"), charge("theirs", client_id="C-2")
    routes = Routes(("journal",), (RoutingPolicy(("memory",), clients=frozenset({"C-1"})),))
    sink = DeliverySink(pool, MemoryTarget(), routes=routes)
    assert [each.result for each in sink.write(batch(0, [ours, theirs])).outcomes] == ["queued", "elsewhere"]
    back = DeliverySink(pool, MemoryTarget(), routes=Routes(("journal",)))  # cut over, and back again
    written = back.write(
        batch(back.positions(CHARGES_TOPIC, 0), [reversal(ours), reversal(theirs), charge("later", client_id="C-1")])
    )
    assert [each.result for each in written.outcomes] == ["queued", "elsewhere", "elsewhere"]
    assert [each.charge_id for each in listed(pool, Selection())] == [id_of(ours), id_of(reversal(ours))]


@pytest.mark.parametrize("error", [KeyError("a defect of the adapter"), TargetUnclear("answered 418: check `url`")])
def test_a_charge_that_an_adapter_cannot_handle_is_refused_and_the_others_go_on(pool: Pool, error: Exception) -> None:
    def odd(charges: Sequence[ChargeRecord]) -> None:
        if any(each["subject"] == "time:odd" for each in charges):
            raise error

    charges = [charge("a", engagement_id="E-1"), charge("odd", engagement_id="E-2"), charge("c", engagement_id="E-3")]
    target = Scripted(odd)
    with delivering(pool, target) as sink:
        sink.write(batch(0, charges))
        await_delivered(pool, "memory")
    assert states(pool, "memory") == {
        each["charge_id"]: "refused" if each["subject"] == "time:odd" else "posted" for each in charges
    }
    assert told(pool, charges[1])[-1][:2] == ("ERP_REFUSED", "open")


def test_a_single_charge_of_a_refused_call_is_refused(pool: Pool) -> None:
    def refuse(charges: Sequence[ChargeRecord]) -> None:
        if any(each["subject"] == "time:bad" for each in charges):
            raise GroupRefused("answered 422: no such client")

    with delivering(pool, Scripted(refuse)) as sink:
        sink.write(batch(0, [charge("a"), charge("bad"), charge("c")]))
        await_delivered(pool, "memory")
    assert Counter(states(pool, "memory").values()) == {"posted": 2, "refused": 1}


def test_a_target_that_is_set_up_wrongly_is_called_only_now_and_then(pool: Pool) -> None:
    target = Scripted(Failing(2, TargetMisconfigured("answered 401: the credentials are not accepted")))
    policy = CallPolicy(first_pause=0.01, longest_pause=0.01, breaker_pause=0.01, longest_breaker_pause=2.0)
    with delivering(pool, target, policy) as sink:
        sink.write(batch(0, [charge("a")]))
        await_that(lambda: bool(target.calls), lambda: "it was not called")
        time.sleep(0.5)
        assert len(target.calls) == 1
        await_delivered(pool, "memory")  # once somebody has mended it
    assert len(target.calls) == 3
