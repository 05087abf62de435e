"""Where charges go: the first policy that matches, by the day of the work; a reversal where its charge is."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.routing_file import RoutesWrong, load_routes, rows_of
from sinks.routing_policy import Routes, RoutingPolicy
from storage.charge_batch import ChargeRecord, ChargeRow
from tests.contract.sinks.sink_charges import charge, reversal

START = date(2025, 4, 1)
CLIENTS, ENTITIES, REGIONS = ("C-1", "C-2"), ("LE-1", "LE-2"), ("EMEA", "AMER")
DAYS = st.integers(0, 20).map(lambda n: START + timedelta(days=n))
SYSTEMS = st.lists(st.sampled_from(["old", "new", "third"]), min_size=1, max_size=2, unique=True).map(tuple)


def some(values: tuple[str, ...]) -> st.SearchStrategy[frozenset[str] | None]:
    """A policy's choice among these, or none."""
    return st.none() | st.sets(st.sampled_from(values), min_size=1).map(frozenset)


POLICIES = st.builds(
    RoutingPolicy, SYSTEMS, some(ENTITIES), some(REGIONS), some(CLIENTS), st.none() | DAYS, st.none() | DAYS
)
ROUTES = st.builds(Routes, SYSTEMS, st.lists(POLICIES, max_size=4).map(tuple))


@st.composite
def charges(draw: st.DrawFn) -> ChargeRecord:
    """A charge somewhere among them."""
    return charge(
        draw(st.sampled_from(["a", "b", "c"])),
        client_id=draw(st.sampled_from(CLIENTS)),
        legal_entity=draw(st.sampled_from(ENTITIES)),
        region=draw(st.sampled_from(REGIONS)),
        work_date=draw(DAYS),
    )


def slowly(routes: Routes, one: Mapping[str, Any]) -> tuple[str, ...]:
    """The reference: each policy asked each question, the last to be written first."""
    found = routes.default
    for policy in reversed(routes.policies):
        asked = [
            (policy.legal_entities, one["legal_entity"]),
            (policy.regions, one["region"]),
            (policy.clients, one["client_id"]),
        ]
        day = one["work_date"]
        in_time = (policy.first or date.min) <= day and (
            policy.until is None or day <= policy.until - timedelta(days=1)
        )
        if in_time and all(value in choice for choice, value in asked if choice is not None):
            found = policy.systems
    return found


@given(ROUTES, charges())
def test_the_first_policy_that_matches_decides(routes: Routes, one: ChargeRecord) -> None:
    assert routes.targets_of(one) == slowly(routes, one)
    assert routes.targets_of(one)
    assert set(routes.targets_of(one)) <= set(routes.systems())


@given(ROUTES, charges())
def test_a_reversal_is_routed_as_its_charge(routes: Routes, one: ChargeRecord) -> None:
    assert routes.targets_of(reversal(one)) == routes.targets_of(one)


@given(st.lists(charges(), max_size=8), ROUTES, ROUTES, st.integers(0, 8), st.data())
def test_whatever_becomes_of_the_policies_a_reversal_meets_its_charge_and_no_other_system(
    made: list[ChargeRecord], before: Routes, after: Routes, turn: int, data: st.DataObject
) -> None:
    """The policies change at some point of a history, and every sink reads it in batches of its own."""
    history = [charge(f"{n}", **{k: one[k] for k in ("client_id", "legal_entity", "region", "work_date")})  # type: ignore[literal-required]
               for n, one in enumerate(made)]  # fmt: skip
    undone = [one for one in history if data.draw(st.booleans())]
    rows = [ChargeRow(n, n, one) for n, one in enumerate([*history, *map(reversal, undone)])]
    for system in ("old", "new", "third"):
        size = data.draw(st.integers(1, 5))
        taken: list[ChargeRecord] = []
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            routes = before if start < turn else after
            known = {one["charge_id"] for one in taken}
            taken += [row.charge for row in rows_of(system, routes, batch, lambda names, k=known: k & set(names))]  # type: ignore[misc]
        ids = {one["charge_id"] for one in taken}
        for one in undone:
            assert (reversal(one)["charge_id"] in ids) == (one["charge_id"] in ids)


def test_a_cut_over_per_client_and_back() -> None:
    both, after, back = START, START + timedelta(days=5), START + timedelta(days=10)
    mine = frozenset({"C-1"})
    routes = Routes(
        ("old",),
        (
            RoutingPolicy(("old", "new"), clients=mine, first=both, until=after),
            RoutingPolicy(("new",), clients=mine, first=after, until=back),
        ),
    )
    went = [routes.targets_of(charge("a", client_id="C-1", work_date=START + timedelta(days=n))) for n in range(-1, 11)]
    assert went == [("old",), *[("old", "new")] * 5, *[("new",)] * 5, ("old",)]
    assert routes.targets_of(charge("a", client_id="C-2", work_date=after)) == ("old",)


def test_without_routes_every_sink_is_given_everything() -> None:
    rows = [ChargeRow(0, 0, charge("a")), ChargeRow(1, 1, reversal(charge("b")))]
    assert load_routes(None) is None
    assert rows_of("any", None, rows, lambda _: ()) == rows


def test_a_file_of_routes(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(
        "default: journal\npolicies:\n"
        "  - {client: [C-1, C-2], legal_entity: LE-1, from: 2025-04-01, to: [journal, next]}\n"
    )
    routes = load_routes(file)
    assert routes == Routes(
        ("journal",),
        (RoutingPolicy(("journal", "next"), frozenset({"LE-1"}), None, frozenset({"C-1", "C-2"}), START, None),),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policies: []", "default is one name or a list of names"),
        ("default: []", "default is one name"),
        ("default: [a]\npolicies: {}", None),
        ("default: a\nelse: b", "and nothing else"),
        ("default: a\npolicies: [{client: C, to: []}]", "policy 1: to is one name"),
        ("default: a\npolicies: [{clients: C, to: b}]", "clients is none of legal_entity, region, client"),
        ("default: a\npolicies: [{from: soon, to: b}]", "policy 1: from is a day such as"),
        ("default: a\npolicies: [{from: 2025-04-01, until: 2025-04-01, to: b}]", "so it matches nothing"),
        ("default: [", "routes.yaml"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str | None) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(text)
    if said is None:
        assert load_routes(file) == Routes(("a",))
        return
    with pytest.raises(RoutesWrong, match=said):
        load_routes(file)
    with pytest.raises(RoutesWrong, match=r"none\.yaml"):
        load_routes(tmp_path / "none.yaml")
