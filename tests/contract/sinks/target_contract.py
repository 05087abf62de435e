"""What every target must do, whatever system it is: inherit, give what is abstract and `target`, and the suite runs."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from sinks.delivery.target import DeliveryAnswer, Target, TargetUnavailable
from storage.charge_batch import ChargeRecord
from storage.postgres import Pool
from tests.contract.sinks.delivering import await_delivered, delivering
from tests.contract.sinks.postgres_contract import PostgresContract
from tests.contract.sinks.sink_charges import charge, reversal
from tests.contract.sinks.sink_contract import Ledger, Result, Sink, as_ledger


class TargetContract(ABC):
    """The contract of `sinks.delivery.target.Target`."""

    refusal: str  # a pattern of what the target says when it refuses

    @abstractmethod
    def held(self, target: Target) -> Ledger:
        """What the system holds, asked of it beside the adapter: by charge_id, in the order it was made."""

    @abstractmethod
    def refused(self) -> ChargeRecord:
        """A charge that the system refuses."""

    @abstractmethod
    def unavailable(self, target: Target) -> AbstractContextManager[None]:
        """Within it, the system cannot be reached or does not do its work."""

    def test_each_charge_has_its_answer_in_the_order_offered(self, target: Target) -> None:
        charges = [charge(name, f"{n}.25") for n, name in enumerate("cabd", 1)]
        answers = deliver(target, charges)
        assert [(a.charge_id, a.result, a.reason) for a in answers] == [
            (c["charge_id"], "posted", None) for c in charges
        ]
        assert all(answer.reference for answer in answers)
        assert self.held(target) == as_ledger(charges)
        assert list(self.held(target)) == [each["charge_id"] for each in charges]

    def test_what_is_offered_again_gets_the_same_answer_and_is_made_once(self, target: Target) -> None:
        charges = [*(charge(str(n)) for n in range(5)), self.refused()]
        first = deliver(target, charges)
        assert deliver(target, charges) == first
        assert self.held(target) == as_ledger(charges[:-1])

    def test_other_groups_get_the_same_answers(self, target: Target) -> None:
        charges = [charge(str(n), engagement_id=f"E-{n % 2}") for n in range(6)]
        first = {answer.charge_id: answer for answer in deliver(target, charges[:4])}
        again = [
            *(answer for each in charges[:3] for answer in deliver(target, [each])),
            *deliver(target, charges[2:]),
            *deliver(target, charges[::-1]),
        ]
        assert all(answer == first.setdefault(answer.charge_id, answer) for answer in again)
        assert self.held(target) == as_ledger(charges)

    def test_a_refusal_has_words_and_leaves_the_others_alone(self, target: Target) -> None:
        charges = [charge("a"), self.refused(), charge("b")]
        answers = {answer.charge_id: answer for answer in deliver(target, charges)}
        refused = answers[charges[1]["charge_id"]]
        assert (refused.result, refused.reference) == ("refused", None)
        assert re.search(self.refusal, refused.reason or ""), refused
        assert self.held(target) == as_ledger([charges[0], charges[2]])

    def test_a_reversal_is_an_entry_of_its_own(self, target: Target) -> None:
        first = charge("a", "83.33")
        history = [first, reversal(first), charge("a", "90.00", n=2)]
        for each in history:
            assert [answer.result for answer in deliver(target, [each])] == ["posted"]
        assert self.held(target) == as_ledger(history)

    def test_charges_of_nothing_are_taken(self, target: Target) -> None:
        free = charge("a", "0.00", reason="NON_BILLABLE", tax_category=None, tax_rate=None, rate=None, rate_unit=None)
        assert [answer.result for answer in deliver(target, [free])] == ["posted"]
        assert self.held(target) == as_ledger([free])

    def test_a_call_of_the_largest_size_is_taken(self, target: Target) -> None:
        charges = [charge(str(n)) for n in range(target.largest_group)]
        assert len({target.group_of(each) for each in charges}) == 1
        assert {answer.result for answer in target.deliver(charges)} == {"posted"}
        assert self.held(target) == as_ledger(charges)

    def test_of_several_at_once_one_makes_it(self, target: Target) -> None:
        charges = [charge(str(n)) for n in range(min(target.largest_group, 5))]

        def attempt(_: int) -> list[DeliveryAnswer] | None:
            try:
                return list(target.deliver(charges))
            except TargetUnavailable:  # the other one is at it
                return None

        with ThreadPoolExecutor(4) as threads:
            answers = [each for each in threads.map(attempt, range(8)) if each is not None]
        final = list(target.deliver(charges))
        assert all(each == final for each in answers)
        assert self.held(target) == as_ledger(charges)

    def test_a_target_that_is_away_is_unavailable_and_takes_the_same_charges_later(self, target: Target) -> None:
        charges = [charge("a"), charge("b")]
        with self.unavailable(target):
            with pytest.raises(TargetUnavailable):
                deliver(target, charges)
            assert not target.health().ok
            assert target.health().detail
        assert [answer.result for answer in deliver(target, charges)] == ["posted", "posted"]
        assert self.held(target) == as_ledger(charges)

    def test_it_is_well(self, target: Target) -> None:
        assert target.health().ok


class DeliveryContract(PostgresContract):
    """The contract of a sink over the queue of a target, which is delivered to meanwhile."""

    taken: Result = "queued"
    written_last = "windows"

    @abstractmethod
    def held(self, target: Target) -> Ledger:
        """As that of TargetContract."""

    @pytest.fixture
    def sink(self, pool: Pool, target: Target) -> Iterator[Sink]:
        """The queue of the target."""
        self.pool, self.target = pool, target
        with delivering(pool, target) as sink:
            yield sink

    def ledger(self, sink: Sink) -> Ledger:
        await_delivered(self.pool, sink.name)
        return self.held(self.target)


def deliver(target: Target, charges: Sequence[ChargeRecord]) -> list[DeliveryAnswer]:
    """Deliver in calls the target allows, in this order; the answers in it too."""
    answers: list[DeliveryAnswer] = []
    at = 0
    while at < len(charges):
        group = target.group_of(charges[at])
        end = at + 1
        while end < len(charges) and end - at < target.largest_group and target.group_of(charges[end]) == group:
            end += 1
        answers += target.deliver(charges[at:end])
        at = end
    return answers
