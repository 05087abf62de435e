"""The catalogue as a document: every topic and field with owner, data class and readers."""

from collections.abc import Iterator, Mapping, Sequence

from common.json_types import Json
from schemas.compatibility import fields_of, kind_of, of_union
from schemas.released import SubjectVersions
from topics.catalogue import TOPICS, Topic
from topics.consumers import Process
from topics.review import readers

_HEAD = """\
# Topics and fields

Made by `hourstream schemas catalogue --write` from `schemas/` and `topics/`; a test holds it to them.

Data classes: `public`; `internal`, to everybody of the firm; `confidential`, to those whose work needs it; `personal`,
of a person who can be named. `erased` after a class: sealed with that person's key, and erased by destroying it
([security.md](security.md#personal-data-and-erasing-a-person)). What a promise keeps is said in
[governance.md](governance.md).
"""


def document(contracts: Mapping[str, SubjectVersions], processes: Sequence[Process]) -> str:
    """Markdown: a table of topics, then a section each with its fields."""
    lines = [_HEAD, "| topic | owner | class | promise | versions | content |", "|---|---|---|---|---|---|"]
    for topic in TOPICS.values():
        lines.append(_row(topic, contracts.get(topic.name)))
    for topic in TOPICS.values():
        if (contract := contracts.get(topic.name)) is not None:
            lines += ["", *_section(topic, contract, processes)]
    return "\n".join(lines) + "\n"


def _row(topic: Topic, contract: SubjectVersions | None) -> str:
    promise, versions = ("", "") if contract is None else (contract.promise, ", ".join(map(str, contract.released)))
    return f"| `{topic.name}` | {topic.owner} | {topic.data_class} | {promise} | {versions} | {topic.doc} |"


def _section(topic: Topic, contract: SubjectVersions, processes: Sequence[Process]) -> Iterator[str]:
    yield f"## {topic.name}"
    yield ""
    yield _cell(contract.working["doc"])
    about = contract.working.get("person")
    person = "" if about is None else f" About the person `{about}`."
    yield f"Key `{':'.join(topic.key)}`. Written by {_writers(topic.name, processes)}.{person}"
    yield ""
    yield "| field | type | owner | class | read by | meaning |"
    yield "|---|---|---|---|---|---|"
    for path, field in all_fields(contract.working):
        read_by = ", ".join(name.partition(" (")[0] for name in readers(topic.name, {path}, processes))
        yield (
            f"| `{path}` | {_type(field['type'])} | {field['owner']} | {_class(field)} | {read_by} "
            f"| {_cell(field['doc'])} |"
        )


def _writers(topic: str, processes: Sequence[Process]) -> str:
    return ", ".join(process.name for process in processes if topic in process.writes) or "systems outside"


def all_fields(record: Mapping[str, Json], path: str = "") -> Iterator[tuple[str, dict[str, Json]]]:
    """(path, field) of every field of a record schema and of those inside it, in order."""
    for name, field in fields_of(record).items():
        yield path + name, field
        inner = of_union(field["type"])[1]
        while isinstance(inner, dict) and inner["type"] == "array":
            inner = of_union(inner["items"])[1]
        if isinstance(inner, dict) and inner["type"] == "record":
            yield from all_fields(inner, f"{path}{name}.")


def _class(field: Mapping[str, Json]) -> str:
    return f"{field['data_class']}, erased" if field.get("erasable") else str(field["data_class"])


def _type(schema: Json) -> str:
    absent, present = of_union(schema)
    kind = kind_of(present)
    if isinstance(present, dict) and kind == "enum":
        symbols = present["symbols"]
        kind = " / ".join(str(symbol) for symbol in symbols) if isinstance(symbols, list) else kind
    elif isinstance(present, dict) and kind == "array":
        kind = f"list of {_type(present['items'])}"
    return f"{kind}, or nothing" if absent else kind


def _cell(text: Json) -> str:
    return str(text).replace("|", "\\|")
