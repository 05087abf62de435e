"""Order within an engagement, whatever the target answers and however calls overlap."""

from collections import defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.delivery.scheduling import QueuedCharge, choose
from storage.charge_batch import ChargeRecord
from tests.contract.sinks.sink_charges import charge, reversal


def rows(*charges: ChargeRecord, **fields: object) -> list[QueuedCharge]:
    """Waiting rows in this order."""
    made = [QueuedCharge(n, each, 0, False, "waiting" if each["reverses"] else None) for n, each in enumerate(charges)]
    for row in made:
        for name, value in fields.items():
            setattr(row, name, value)
    return made


def ids(chosen: list[QueuedCharge]) -> list[int]:
    """The rows chosen, by number."""
    return [row.seq for row in chosen]


def same(_: ChargeRecord) -> str:
    """One group for all."""
    return ""


def test_a_call_takes_what_shares_its_group_up_to_its_size() -> None:
    waiting = rows(*(charge(str(n), engagement_id=f"E-{n}", currency="EUR" if n % 3 else "USD") for n in range(9)))
    assert ids(choose(waiting, (), 3, lambda each: each["currency"])) == [0, 3, 6]
    assert ids(choose(waiting, {"E-0"}, 3, lambda each: each["currency"])) == [1, 2, 4]
    assert ids(choose(waiting, (), 1, same)) == [0]


def test_an_engagement_is_not_overtaken_by_its_own_later_charges() -> None:
    waiting = rows(charge("a"), charge("b", currency="USD"), charge("c"))
    assert ids(choose(waiting, (), 9, lambda each: each["currency"])) == [0]


@pytest.mark.parametrize(
    ("state", "expected"), [("waiting", [1]), ("refused", [1]), ("posted", [0, 1]), (None, [0, 1])]
)
def test_a_reversal_waits_for_what_it_undoes(state: str | None, expected: list[int]) -> None:
    waiting = rows(reversal(charge("a")), charge("b", engagement_id="E-2"))
    waiting[0].undoes = state
    assert ids(choose(waiting, (), 9, same)) == expected


def test_a_reversal_never_shares_the_call_of_what_it_undoes() -> None:
    first = charge("a")
    waiting = rows(first, charge("b"), reversal(first), charge("c"))
    assert ids(choose(waiting, (), 9, same)) == [0, 1]


def test_what_is_to_be_alone_is_alone() -> None:
    waiting = rows(charge("a", engagement_id="E-1"), charge("b", engagement_id="E-2"), charge("c", engagement_id="E-3"))
    waiting[1].alone = True
    assert ids(choose(waiting, (), 9, same)) == [0, 2]
    assert ids(choose(waiting[1:], (), 9, same)) == [1]


def test_a_probe_is_the_one_charge_least_often_tried() -> None:
    waiting = rows(*(charge(str(n), engagement_id=f"E-{n // 2}") for n in range(6)), attempts=4)
    waiting[3].attempts = waiting[4].attempts = 1
    assert ids(choose(waiting, (), 9, same, probing=True)) == [4]
    assert choose(waiting, {"E-0", "E-1", "E-2"}, 9, same, probing=True) == []


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_any_course_keeps_each_engagements_order_and_ends(seed: int, largest: int, at_a_time: int) -> None:
    """Calls overlap and are answered in any order, posted, refused or not at all; refused pairs are cancelled."""
    chance = Random(seed)
    history: list[ChargeRecord] = []
    for n in range(30):
        engagement = f"E-{chance.randrange(4)}"
        history.append(charge(str(n), engagement_id=engagement, currency=chance.choice(["EUR", "USD"])))
        if chance.random() < 0.4:
            history.append(reversal(chance.choice([c for c in history if c["reverses"] is None])))
    history = list({each["charge_id"]: each for each in history}.values())
    states = {each["charge_id"]: "waiting" for each in history}
    waiting = rows(*history)
    on_their_way: list[list[QueuedCharge]] = []
    answered: dict[str, list[int]] = defaultdict(list)
    for _ in range(5_000):
        for row in waiting:
            row.undoes = states.get(row.charge["reverses"] or "")
        cancelled = [row for row in waiting if row.undoes == "refused"]
        states |= {row.charge["charge_id"]: "cancelled" for row in cancelled}
        waiting = [row for row in waiting if row not in cancelled]
        busy = {row.engagement_id for call in on_their_way for row in call}
        left = [row for row in waiting if not any(row in call for call in on_their_way)]
        call = choose(left, busy, largest, lambda each: each["currency"]) if len(on_their_way) < at_a_time else []
        if call:
            assert len({row.charge["currency"] for row in call}) == 1
            assert len(call) <= largest
            on_their_way.append(call)
        elif on_their_way:
            call = on_their_way.pop(chance.randrange(len(on_their_way)))
            if chance.random() < 0.2:
                continue  # not known: it is offered again
            for row in call:
                assert row.charge["reverses"] is None or states[row.charge["reverses"]] == "posted"
                states[row.charge["charge_id"]] = chance.choice(["posted", "posted", "refused"])
                answered[row.engagement_id].append(row.seq)
                waiting.remove(row)
        else:
            break
    assert "waiting" not in states.values()
    assert all(order == sorted(order) for order in answered.values())
