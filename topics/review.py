"""Explains the effect of a changed contract, by its owner's promise and by its readers.

A promise (`schemas.released`) is about whole records; a consumer's contract (`topics.consumers`) about the fields it
reads, so that a producer cannot drop a field that finance needs even where Avro would allow it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.json_types import Json
from schemas.compatibility import fields_of, kind_of, of_union
from schemas.released import Refusal, SubjectVersions
from topics.consumers import WHOLE, Process


@dataclass(frozen=True, slots=True)
class Finding:
    """One change of one topic's contract: its kind, the reason against it, and the consumers it breaks."""

    topic: str
    change: str
    reasons: tuple[str, ...]
    consumers: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.consumers) or "no declared consumer, but every reader of the topic from its beginning"
        return f"{self.topic}: {self.change}: {'; '.join(self.reasons)}. It breaks {named}."


def review(contracts: Mapping[str, SubjectVersions], processes: Sequence[Process]) -> list[Finding]:
    """Everything the working schemas would break, by topic."""
    found = [finding for contract in contracts.values() for finding in _of_contract(contract, processes)]
    return found + list(_of_nothing(contracts, processes))


def _of_contract(contract: SubjectVersions, processes: Sequence[Process]) -> Iterator[Finding]:
    changes: dict[str, list[str]] = {}
    fields: dict[str, set[str]] = {}
    for refusal in contract.refusals():
        change = _change(refusal)
        reason = _reason(refusal)
        if reason not in changes.setdefault(change, []):
            changes[change].append(reason)
        fields.setdefault(change, set()).update(_concerned(refusal))
    for change, reasons in changes.items():
        yield Finding(contract.topic, change, tuple(reasons), readers(contract.topic, fields[change], processes))
    told = set().union(*fields.values()) if fields else set()
    yield from _of_consumers(contract, processes, told)


def _of_consumers(contract: SubjectVersions, processes: Sequence[Process], told: set[str]) -> Iterator[Finding]:
    """Fields with readers that would be removed or change their type, beside those reported already."""
    if not contract.released:
        return
    before, now = list(contract.released.values())[-1], contract.working
    gone: dict[tuple[str, str], list[str]] = {}
    for process in processes:
        for path in _paths(process.reads.get(contract.topic, ()), before):
            was, is_now = _type_at(before, path), _type_at(now, path)
            if was is not None and was != is_now and path not in told:
                change = f"{path} is gone" if is_now is None else f"{path} was {was} and is {is_now}"
                gone.setdefault((path, change), []).append(f"{process.name} ({process.owner})")
    for (path, change), names in gone.items():
        yield Finding(contract.topic, change, (f"{path} is read from every new record",), tuple(names))


def _of_nothing(contracts: Mapping[str, SubjectVersions], processes: Sequence[Process]) -> Iterator[Finding]:
    """Declared fields that no schema has: the declaration is wrong, or the schema's change came without it."""
    for process in processes:
        for topic, declared in process.reads.items():
            if topic not in contracts:
                change = "there is no such contract"
                yield Finding(topic, change, ("it is declared as read",), (f"{process.name} ({process.owner})",))
                continue
            contract = contracts[topic]
            known = [contract.working, *contract.released.values()]
            for path in declared:
                if path not in WHOLE and all(_type_at(schema, path) is None for schema in known):
                    names = (f"{process.name} ({process.owner})",)
                    yield Finding(topic, f"there is no field {path}", ("it is declared as read",), names)


def readers(topic: str, fields: set[str], processes: Sequence[Process]) -> tuple[str, ...]:
    """The readers of one of the fields; if no reader names one, all readers of the topic: a record is read whole."""
    of_topic = [process for process in processes if topic in process.reads]
    named = [p for p in of_topic if any(_covers(declared, f) for declared in p.reads[topic] for f in fields)]
    return tuple(f"{process.name} ({process.owner})" for process in named or of_topic)


def _covers(declared: str, field: str) -> bool:
    return declared in WHOLE or f"{field}.".startswith(f"{declared}.") or f"{declared}.".startswith(f"{field}.")


def _concerned(refusal: Refusal) -> set[str]:
    """The released fields that a change is about; none where it is about the record as a whole."""
    found = refusal.found
    if found.kind == "rule" or (found.kind == "missing" and not refusal.by_old_readers):
        return set()
    return {found.field, ".".join((*found.path[:-1], found.detail))} if found.kind == "renamed" else {found.field}


def _change(refusal: Refusal) -> str:
    found, field = refusal.found, refusal.found.field
    match found.kind, refusal.by_old_readers:
        case "renamed", False:
            return f"{'.'.join((*found.path[:-1], found.detail))} was renamed to {field}"
        case "renamed", True:
            return f"{field} was renamed to {'.'.join((*found.path[:-1], found.detail))}"
        case "missing", False:
            return f"{field} is new and has no default"
        case "missing", True:
            return f"{field} is gone"
        case "symbols", False:
            return f"{field} no longer knows {found.detail}"
        case "symbols", True:
            return f"{field} may now say {found.detail}"
        case "type", True:
            return f"{field} was {' and is '.join(reversed(found.detail.split(' to ')))}"
        case "type", False:
            return f"{field} was {' and is '.join(found.detail.split(' to '))}"
        case "empty", False:
            return f"{field} must no longer be empty"
        case "empty", True:
            return f"{field} may now be empty"
        case "default", _:
            return f"{field} has lost its default"
        case _:
            return "to Avro it is no version of the same schema"


def _reason(refusal: Refusal) -> str:
    if refusal.found.kind == "default":
        return "records written without it could no longer be read"
    if refusal.found.kind == "rule":
        return refusal.found.detail
    if refusal.by_old_readers:
        return f"readers by schema {refusal.schema_id} could not read new records"
    return f"records already written under schema {refusal.schema_id} could no longer be read"


def _paths(declared: Sequence[str], schema: Mapping[str, Json]) -> Sequence[str]:
    return tuple(fields_of(schema)) if tuple(declared) == WHOLE else declared


def _type_at(schema: Mapping[str, Json], path: str) -> str | None:
    """The type at a path, None if there is none."""
    here: Json = dict(schema)
    for name in path.split("."):
        here = of_union(here)[1]
        while isinstance(here, dict) and here["type"] == "array":
            here = of_union(here["items"])[1]
        if not isinstance(here, dict) or here["type"] != "record" or name not in fields_of(here):
            return None
        here = fields_of(here)[name]["type"]
    return kind_of(of_union(here)[1])
