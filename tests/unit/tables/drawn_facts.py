"""Facts drawn choice by choice: mostly good ones, and of each kind some that are wrong, withdrawn or about nothing."""

from collections.abc import Callable

from tests.unit.tables import contents
from tests.unit.tables.contents import Content
from tests.unit.tables.drawn import NOBODY, Pick, World

_CURRENCIES = ("EUR", "EUR", "EUR", "USD", "JPY", "KWD")


def fact(pick: Pick, world: World) -> Content:
    """A fact of any kind: time as often as all others."""
    name = pick([*list(world.engagements) * 12, f"E{NOBODY}"])
    makers: list[Callable[[Pick, World, str], Content]] = [*[entry] * 8, *_OTHERS]
    topic, value = pick(makers)(pick, world, name)
    return topic, value | {"occurred_at": world.instant(pick)}


_MINUTES = (60, 7, 47, 100, 200, 300, 500, 480) * 2 + (900, 0, 1441)
_STATUSES = ("approved",) * 18 + ("submitted", "rejected", "withdrawn", "withdrawn")


def entry(pick: Pick, world: World, name: str) -> Content:
    """Some minutes, among them none, more than fit with others into a day, and more than a day has."""
    return contents.entry(
        name,
        world.id(pick),
        pick(_MINUTES),
        world.day(pick),
        consultant_id=pick([*list(world.consultants) * 12, f"C{NOBODY}"]),
        task_id=pick([f"{name}-T1"] * 20 + [f"{name}-T2"] * 10 + [f"{name}-T{NOBODY}"]),
        labor_category=pick([None, None, "Junior", ""]),
        billable=pick([True, True, True, False]),
        status=pick(_STATUSES),
    )


def _expense(pick: Pick, world: World, name: str) -> Content:
    topic, value = contents.expense(name, world.id(pick), world.day(pick), pick(_STATUSES))
    amount, receipt = pick(["10.01", "25.5", "70", "310.5", "-3.335"]), pick([None, "r", ""])
    currency, category = pick(_CURRENCIES), pick(["travel"] * 4 + ["meals"] * 2 + ["lodging", "other"])
    value |= {"amount": amount, "currency": currency, "category": category, "receipt": receipt}
    return topic, value | {
        "place": pick(["Boston", "Boston", "Salem", None]),
        "quantity": pick([None, "2.5", "0", "-1"]),
    }


def _agreed_minutes(pick: Pick, world: World, name: str) -> Content:
    subject = f"{pick(['time'] * 12 + ['expense'])}:{world.id(pick)}"
    minutes = pick([45, 0, 480, 45, 0, 480, None])
    return contents.agreed_minutes(
        name, world.id(pick), subject, minutes=minutes, effective_on=world.day(pick), status=pick(_STATUSES)
    )


def _amount(pick: Pick, world: World, name: str) -> Content:
    topic, value = contents.amount(name, world.id(pick), pick(_STATUSES))
    return topic, value | {"amount": pick(["-3.335", "100", "-3.335", "100", None]), "effective_on": world.day(pick)}


def _decision(pick: Pick, world: World, name: str) -> Content:
    kind = pick(["time", "time", "time", "adjustment", "outcome", "expense", "milestone", "fee", "minimum"])
    what, revision = pick(["waive", "waive", "retry"]), pick([1, 2])
    one = world.month(pick) if kind in ("fee", "minimum") else world.id(pick)
    return contents.decision(name, world.id(pick), f"{kind}:{one}", what, revision)


def _milestone(pick: Pick, world: World, name: str) -> Content:
    return contents.milestone(name, pick(["1", "2"]), world.day(pick), pick(["completed"] * 4 + ["reopened"]))


def _outcome(pick: Pick, world: World, name: str) -> Content:
    metric, quantity = pick(["calls"] * 5 + ["users"] * 3 + ["none"]), pick(["3.5", "8", "40"] * 4 + ["0", "-1"])
    return contents.outcome(name, world.id(pick), metric, quantity, world.day(pick), pick(_STATUSES))


def _period(pick: Pick, world: World, name: str) -> Content:
    return contents.period(name, pick([world.month(pick)] * 6 + ["2024-13"]), pick(["closed", "closed", "open"]))


_OTHERS: tuple[Callable[[Pick, World, str], Content], ...] = (
    _expense,
    _expense,
    _outcome,
    _outcome,
    _agreed_minutes,
    _agreed_minutes,
    _decision,
    _amount,
    _milestone,
    _period,
    _period,
    _period,
)
