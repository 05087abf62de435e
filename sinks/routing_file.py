"""Loads routes from a file, and selects the rows of a batch that go to a sink.

default: [journal]
policies:                     # the first that matches decides
  - client: [C-1, C-2]        # one or several; also legal_entity, region
    from: 2025-04-01          # by the day of the work; until is the first day after
    until: 2025-07-01
    to: [journal, next]
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import yaml

from common.errors import SinkError
from sinks.routing_policy import Routes, RoutingPolicy
from storage.charge_batch import ChargeRow, WriteOutcome, Written

_FIELDS = ("legal_entity", "region", "client", "from", "until", "to")


class RoutesWrong(SinkError):
    """The file of routes cannot be used; the message says why."""


def load_routes(path: Path | None) -> Routes | None:
    """The routes in a file; None without a file: every sink is then given every charge. Raises RoutesWrong."""
    if path is None:
        return None
    try:
        return _routes(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise RoutesWrong(f"{path}: {error}") from error


def _routes(read: object) -> Routes:
    if not isinstance(read, Mapping) or not set(read) <= {"default", "policies"}:
        raise ValueError("write `default: [SYSTEM, ...]` and `policies: [...]`, and nothing else")
    policies = read.get("policies") or []
    if not isinstance(policies, list):
        raise ValueError("policies is a list")
    found = [_policy(f"policy {n}", each) for n, each in enumerate(policies, 1)]
    return Routes(_names("default", read.get("default")), tuple(found))


def _policy(where: str, read: object) -> RoutingPolicy:
    if not isinstance(read, Mapping):
        raise ValueError(f"{where} is a mapping of {', '.join(_FIELDS)}")
    if unknown := set(read) - set(_FIELDS):
        raise ValueError(f"{where}: {', '.join(map(str, sorted(unknown)))} is none of {', '.join(_FIELDS)}")
    named = {field: frozenset(_names(f"{where}: {field}", read[field])) for field in _FIELDS[:3] if field in read}
    first, until = (_day(f"{where}: {field}", read.get(field)) for field in ("from", "until"))
    if first is not None and until is not None and until <= first:
        raise ValueError(f"{where}: until {until} is not after from {first}, so it matches nothing")
    return RoutingPolicy(
        systems=_names(f"{where}: to", read.get("to")),
        legal_entities=named.get("legal_entity"),
        regions=named.get("region"),
        clients=named.get("client"),
        first=first,
        until=until,
    )


def _names(where: str, read: object) -> tuple[str, ...]:
    """One name or several; a charge must go somewhere, so none is refused."""
    names = [read] if isinstance(read, str) else read
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{where} is one name or a list of names")
    return tuple(dict.fromkeys(names))


def _day(where: str, read: object) -> date | None:
    if read is None or (isinstance(read, date) and not isinstance(read, datetime)):
        return read
    raise ValueError(f"{where} is a day such as 2025-04-01")


def rows_of(
    system: str,
    routes: Routes | None,
    rows: Sequence[ChargeRow],
    holds: Callable[[Sequence[str]], Collection[str]],
) -> list[ChargeRow]:
    """The rows of a batch that a system is given. `holds` says which of some charges it has taken before."""
    if routes is None:
        return list(rows)
    reversed_ = [row.charge["reverses"] for row in rows if row.charge["reverses"] is not None]
    held = set(holds([name for name in reversed_ if name is not None])) if reversed_ else set()
    taken = []
    for row in rows:
        if routes.goes_to(system, row.charge, row.charge["reverses"] in held):
            taken.append(row)
            held.add(row.charge["charge_id"])
    return taken


def outcomes_of(rows: Sequence[ChargeRow], taken: Sequence[ChargeRow], written: Written) -> Written:
    """The outcome of every row, from the outcomes of the rows taken: the others went elsewhere."""
    if len(taken) == len(rows):
        return written
    found = {row.offset: outcome for row, outcome in zip(taken, written.outcomes, strict=True)}
    return Written(tuple(found.get(row.offset) or WriteOutcome(row.charge["charge_id"], "elsewhere") for row in rows))
