"""What every sink must do, whatever it writes to: inherit, give `sink` and `ledger`, and the suite runs."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from common.errors import SinkFenced
from sinks.contract import Sink
from storage.charge_batch import ChargeRecord, Result
from tests.contract.sinks.sink_charges import batch, charge, reversal
from topics.catalogue import CHARGES_TOPIC

Ledger = dict[str, tuple[Decimal, int]]


class SinkContract(ABC):
    """The contract of `sinks.contract.Sink`."""

    taken: Result = "posted"  # what `write` says of a charge that is new

    @abstractmethod
    def ledger(self, sink: Sink) -> Ledger:
        """What the target holds once all that was written has got there: amount and worked minutes by charge_id."""

    def test_it_starts_at_the_beginning(self, sink: Sink) -> None:
        assert sink.positions(CHARGES_TOPIC, 3) == 0

    def test_it_keeps_every_charge_and_moves_beyond_the_transaction_marker(self, sink: Sink) -> None:
        charges = [charge("a", "25.00"), charge("b", "83.33")]
        written = sink.write(batch(0, charges))
        assert [(o.charge_id, o.result) for o in written.outcomes] == [(c["charge_id"], self.taken) for c in charges]
        assert self.ledger(sink) == as_ledger(charges)
        assert sink.positions(CHARGES_TOPIC, 0) == 3

    def test_a_batch_of_markers_only_moves_the_position(self, sink: Sink) -> None:
        sink.write(batch(0, [], end=5))
        assert sink.positions(CHARGES_TOPIC, 0) == 5
        assert self.ledger(sink) == {}

    def test_a_batch_read_again_is_fenced_and_changes_nothing(self, sink: Sink) -> None:
        again = batch(0, [charge("a")])
        sink.write(again)
        with pytest.raises(SinkFenced, match=r"is at 2 .* not at 0"):
            sink.write(again)
        assert self.ledger(sink) == as_ledger([charge("a")])
        assert sink.positions(CHARGES_TOPIC, 0) == 2

    def test_a_batch_beyond_the_position_is_fenced(self, sink: Sink) -> None:
        with pytest.raises(SinkFenced):
            sink.write(batch(7, [charge("a")]))
        assert self.ledger(sink) == {}
        assert sink.positions(CHARGES_TOPIC, 0) == 0

    def test_partitions_do_not_know_each_other(self, sink: Sink) -> None:
        sink.write(batch(0, [charge("a")], partition=0))
        sink.write(batch(0, [charge("b")], partition=1))
        assert self.ledger(sink) == as_ledger([charge("a"), charge("b")])

    def test_a_charge_at_another_offset_is_a_duplicate(self, sink: Sink) -> None:
        sink.write(batch(0, [charge("a")]))
        written = sink.write(batch(2, [charge("b"), charge("a"), charge("b")]))
        assert [outcome.result for outcome in written.outcomes] == [self.taken, "duplicate", "duplicate"]
        assert self.ledger(sink) == as_ledger([charge("a"), charge("b")])

    @pytest.mark.parametrize("together", [True, False])
    def test_a_reversal_is_an_entry_of_its_own(self, sink: Sink, together: bool) -> None:
        first = charge("a", "83.33")
        history = [first, reversal(first), charge("a", "90.00", n=2)]
        if together:
            sink.write(batch(0, history, end=3))
        else:
            for offset, each in enumerate(history):
                sink.write(batch(offset, [each], end=offset + 1))
        assert self.ledger(sink) == as_ledger(history)
        assert sum(amount for amount, _ in self.ledger(sink).values()) == Decimal("90.00")

    def test_charges_of_nothing_keep_their_minutes(self, sink: Sink) -> None:
        free = charge("a", "0.00", reason="NON_BILLABLE", tax_category=None, tax_rate=None, rate=None, rate_unit=None)
        written = sink.write(batch(0, [free, reversal(free)]))
        assert written.count(self.taken) == 2
        assert self.ledger(sink) == as_ledger([free, reversal(free)])

    def test_of_two_processes_with_one_partition_one_is_fenced(self, sink: Sink) -> None:
        offered = batch(0, [charge(str(n)) for n in range(200)])

        def attempt(_: int) -> str:
            try:
                return f"{sink.write(offered).count(self.taken)} taken"
            except SinkFenced:
                return "fenced"

        with ThreadPoolExecutor(4) as threads:
            outcomes = sorted(threads.map(attempt, range(4)))
        assert outcomes == ["200 taken", "fenced", "fenced", "fenced"]
        assert len(self.ledger(sink)) == 200

    @pytest.mark.parametrize("seed", range(3))
    def test_however_a_history_is_cut_and_repeated_the_ledger_is_the_same(self, sink: Sink, seed: int) -> None:
        chance = random.Random(seed)
        history: list[ChargeRecord] = []
        for entry in range(40):
            history.append(charge(str(entry), f"{chance.randrange(10_000)}.00"))
            if chance.random() < 0.4:
                history += [reversal(history[-1]), charge(str(entry), "1.00", n=2)]
        at = 0
        while at < len(history):
            end = min(len(history), at + chance.randrange(1, 12))
            offered = batch(at, history[at:end], end=end)
            sink.write(offered)
            if chance.random() < 0.5:
                with pytest.raises(SinkFenced):
                    sink.write(offered)
            at = end
        assert self.ledger(sink) == as_ledger(history)

    def test_it_is_well(self, sink: Sink) -> None:
        assert sink.health().ok


def as_ledger(charges: Iterable[ChargeRecord]) -> Ledger:
    """What a ledger holds that has taken these charges."""
    return {each["charge_id"]: (each["amount"], each["worked_minutes"]) for each in charges}
