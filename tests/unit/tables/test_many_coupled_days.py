"""Time under a cap or a retainer, settled day by day, comes to what `settle` says of all of it."""

import itertools
from random import Random
from unittest.mock import patch

import pytest

from rating.model.charge import negated, same_billing
from rating.steps import Steps
from tables.settlement import sum_tree
from tables.settlement.charge_record import charge_of
from tables.settlement.coupled_scope import CoupledScope
from tables.settlement.large_bucket import Bucket
from tables.settlement.waiting import ENOUGH_BEHIND
from tests.unit.tables.contents import (
    MASTERS,
    Content,
    agreed_minutes,
    consultant,
    decision,
    engagement,
    entry,
    expense,
    line,
    numbered,
    period,
    rate_card,
    task,
)
from tests.unit.tables.stream import Line, Stream

SCOPES = ("entry", "person_day")
DAYS = ("2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "2024-03-01", "2024-05-03")


def drawn(random: Random) -> Content:
    """A fact about E2, whose cap is reached after some hours."""
    n = str(random.randrange(20))
    match random.randrange(16):
        case 0:
            return agreed_minutes("E2", n, f"time:{n}", random.choice([0, 30, 600]))
        case 1:
            return decision("E2", n, f"time:{n}", random.choice(["waive", "retry"]), random.randint(1, 2))
        case 2 | 3:
            return period("E2", random.choice(["2024-01", "2024-02", "2024-03"]), random.choice(["open", "closed"]))
        case 4 | 5:
            topic, value = expense("E2", n, random.choice(DAYS), random.choice(["approved"] * 4 + ["withdrawn"]))
            return topic, value | {"amount": random.choice(["10.01", "70", "310.5", "-33.335", "-250"])}
    return entry(
        "E2",
        n,
        random.choice([60, 60, 47, 20, 20, 300, 700, 0, 1441]),
        random.choice(DAYS),
        consultant_id=random.choice(["C1", "C2"]),
        task_id=random.choice(["E2-T1", "E2-T1", "E2-T2"]),
        status=random.choice(["approved"] * 6 + ["withdrawn"]),
        billable=random.random() < 0.9,
    )


def terms(random: Random) -> Content:
    """A contract with several couplings at once, as a rule."""
    cap = {
        "amount": random.choice(["300", "1000.005", "0", "5000"]),
        "policy": random.choice(["park", "absorb"]),
        "scope": random.choice([None, "time_and_expenses"]),
    }
    included = {"included_minutes": random.choice([0, 100, 600, 1500]), "rollover_months": random.choice([0, 1, 2])}
    return engagement(
        "E2",
        billing_method=random.choice(
            ["time_and_materials", "retainer", "retainer", "fixed_fee"][: random.choice([3, 4])]
        ),
        retainer=included | {"monthly_fee": "99.99", "proration": random.choice([None, "daily"])},
        cap=random.choice([cap, cap, None]),
        minimum=random.choice([None, {"amount": "500.005"}, {"amount": "60"}]),
        amount_rounding=random.choice([None, "cumulative"]),
        late_policy=random.choice([None, "park"]),
        multipliers=random.choice([{}, {"overtime_after_minutes": 300, "overtime": "1.5", "weekend": "1.25"}]),
        day_rule=random.choice(["prorata", "half_day_steps"]),
        rounding={"increment_minutes": random.choice([1, 15]), "mode": "up", "scope": random.choice(SCOPES)},
    )


def another(random: Random, contract: Content) -> Content:
    """The contract with other numbers, or quite another one."""
    topic, value = contract
    changed = dict(value)
    if value["cap"]:
        changed["cap"] = value["cap"] | {"amount": random.choice(["300", "700", "2000"])}
    included = {"included_minutes": random.choice([50, 600]), "rollover_months": random.choice([0, 1])}
    changed["retainer"] = value["retainer"] | included
    return random.choice([(topic, changed), (topic, changed), (topic, value | {"name": "Renamed"}), terms(random)])


def master(random: Random) -> Content:
    """A change of a master other than the contract."""
    return random.choice([
        rate_card(random.choice(["50", "99.99"]), "640"),
        consultant("C1", random.choice(["Engineer", "Junior"])),
        task("E2", 2, billable=random.choice([True, False])),
        task("E2", 1, closed_on=random.choice([None, "2024-02-02"])),
    ])  # fmt: skip


def says_nothing_twice(stream: Stream) -> None:
    """A charge that follows the reversal of another one bills something else (DOMAIN.md §3.2)."""
    charges = stream.said("billing.ready")
    for undone, charge in itertools.pairwise(charges):
        if undone["reverses"] and not charge["reverses"] and undone["subject"] == charge["subject"]:
            assert not same_billing(negated(charge_of(undone)), charge_of(charge)), charge["subject"]


@pytest.mark.parametrize("seed", range(120))
def test_coupled_time_in_any_arrival_comes_to_the_law(seed: int) -> None:
    random = Random(seed)
    contents = [terms(random)]
    for _ in range(random.choice([0, 0, 1, 2])):
        contents.append(another(random, contents[-1]))
    contents += [master(random) for _ in range(random.randrange(3))]
    contents += [drawn(random) for _ in range(random.choice([15, 40]))]
    lines = [
        {**each, "value": {**each["value"], "occurred_at": f"2024-03-01T00:0{minute}:00.000Z"}}
        for each, minute in zip(numbered(contents), itertools.cycle((0, 7, 3, 5)))
    ]
    random.shuffle(lines)
    size = random.choice([1, 1, 2, 7])
    stream = Stream(most_bytes=random.choice([0, 32 << 10]), chunk=random.choice([3, 20_000]))
    with patch.object(sum_tree, "MOST", random.choice([4, 32])):
        stream.deliver(
            numbered([each for each in MASTERS if each[1].get("engagement_id") != "E2" or "task_id" in each[1]])
        )
        stream.rest()
        for number, start in enumerate(range(0, len(lines), size)):
            stream.behind = random.choice([0, 0, ENOUGH_BEHIND]) if seed % 2 else 0
            stream.deliver(lines[start : start + size])
            assert stream.residue() == 0
            if number % 7 == 6:
                stream.restart()
        stream.rest()
    assert stream.books.ledger() == list(stream.books.expected())
    assert stream.residue() == 0
    says_nothing_twice(stream)


def test_a_burst_in_any_order_is_published_once() -> None:
    stream, random = Stream(), Random(1)
    both = {
        "billing_method": "retainer",
        "retainer": {"included_minutes": 900, "monthly_fee": "0", "rollover_months": 1},
        "cap": {"amount": "3000", "policy": "absorb"},
        "minimum": {"amount": "5000"},
        "amount_rounding": "cumulative",
    }
    masters = [each for each in MASTERS if each[1].get("engagement_id") != "E2" or "task_id" in each[1]]
    stream.deliver(numbered([*masters, engagement("E2", **both), period("E2", "2024-01", "closed")]))
    burst = [line(entry("E2", str(n), 47, f"2024-01-{1 + n % 28:02}")) for n in range(100)]
    random.shuffle(burst)
    stream.behind, told = ENOUGH_BEHIND, len(stream.said("billing.ready"))
    for start in range(0, len(burst), 9):
        stream.deliver(burst[start : start + 9])
        assert stream.residue() == 0
        if start == 45:
            stream.restart()
    assert len(stream.said("billing.ready")) == told
    stream.rest()
    said = [record["subject"] for record in stream.said("billing.ready")[told:]]
    assert sorted(said) == sorted(["minimum:2024-01"] * 2 + [f"time:{n}" for n in range(100)])
    assert stream.books.ledger() == list(stream.books.expected())


def hours(count: int, cap: str) -> Stream:
    """An hour a day at 100, a batch each."""
    stream = Stream()
    others = [each for each in MASTERS if each[0] != "master.rate-cards"]
    stream.deliver(numbered([*others, rate_card("100"), consultant("C3", None)]))
    stream.deliver([line(engagement("E2", cap={"amount": cap, "policy": "park"}), 2)])
    for n in range(count):
        stream.deliver([hour(n)])
    return stream


def hour(n: int, name: str = "", **changed: object) -> Line:
    """The n-th day's."""
    return line(entry("E2", name or f"{n:02}", 60, f"2024-01-{n + 1:02}", **changed))


def settled_by(stream: Stream, *lines: Line) -> tuple[list[str], list[tuple[str, int]]]:
    """The days that these lines settle, and (subject, amount) of what they publish."""
    days, before, steps = list[str](), len(stream.said("billing.ready")), CoupledScope._steps

    def noted(self: CoupledScope, bucket: Bucket) -> Steps:
        days.append(bucket.name)
        return steps(self, bucket)

    with patch.object(CoupledScope, "_steps", noted):
        stream.deliver(lines)
    return days, [(record["subject"], record["amount"]) for record in stream.said("billing.ready")[before:]]


def test_a_cap_that_does_not_bind_touches_one_day() -> None:
    stream = hours(20, "99999")
    days, said = settled_by(stream, hour(3, "late"))
    assert days == ["day:C1:2024-01-04"]
    assert said == [("time:late", 100)]


def test_a_late_entry_touches_the_days_that_it_displaces() -> None:
    stream = hours(20, "1000")
    days, said = settled_by(stream, hour(3, "late"))
    assert set(days) == {f"day:C1:2024-01-{day:02}" for day in (4, 10)}
    assert said == [("time:late", 100), ("time:09", -100)]
    assert stream.books.ledger() == list(stream.books.expected())


def test_an_entry_beyond_the_cap_touches_its_own_day() -> None:
    stream = hours(20, "1000")
    days, said = settled_by(stream, hour(20))
    assert days == ["day:C1:2024-01-21"]
    assert said == []


def test_a_late_entry_of_a_retainer_touches_the_days_that_it_displaces() -> None:
    stream = Stream()
    stream.deliver(numbered([each for each in MASTERS if each[0] != "master.engagements"]))
    terms = {"included_minutes": 300, "monthly_fee": "0", "rollover_months": 1}
    stream.deliver([line(engagement("E2", billing_method="retainer", cap=None, retainer=terms))])
    for month in (1, 2, 3):
        for day in range(1, 9):
            stream.deliver([line(entry("E2", f"{month}-{day}", 60, f"2024-{month:02}-{day:02}"))])
    days, said = settled_by(stream, line(entry("E2", "late", 60, "2024-01-02")))
    assert days == ["day:C1:2024-01-02", "day:C1:2024-01-05"]
    assert [subject for subject, _ in said] == ["time:late", "time:1-5", "time:1-5"]
    assert stream.books.ledger() == list(stream.books.expected())
