"""Parse marked YAML nodes into the mapping language's tree. `sources.mapping.checker` checks the names."""

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sources.mapping.ast import (
    STATES,
    UNITS,
    WAITS,
    Between,
    CanonicalTemplate,
    CodeLookup,
    Collection,
    Constant,
    Day,
    Each,
    Entity,
    Expression,
    First,
    Group,
    Instant,
    Items,
    LookUp,
    Match,
    Minutes,
    Number,
    Path,
    Scalar,
    SourceMapping,
    Split,
    Template,
    Translate,
    Unit,
)
from sources.mapping.date_orders import confusable
from sources.mapping.file_layout import layout_of, webhook_of
from sources.mapping.yaml_nodes import Node

_STEPS = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_PATH = re.compile(rf"\$({_STEPS})")
_HOLE = re.compile(rf"\$\{{({_STEPS})\}}")
_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_SYSTEM = re.compile(r"[a-z][a-z0-9_-]*")


def mapping_of(root: Node) -> SourceMapping:
    """The tree of a whole file."""
    found = root.record("a mapping", ("system", "entities"), ("says",))
    system = found["system"].text("system")
    if not _SYSTEM.fullmatch(system):
        raise found["system"].wrong(f"system is {system!r}; use small letters, digits, - and _")
    entities = found["entities"].entries("entities")
    if not entities:
        raise found["entities"].wrong("entities is empty; name the kinds of records of this source")
    says = (
        {name: value.text(name) for name, value in found["says"].record("says", STATES).items()}
        if "says" in found
        else {}
    )
    return SourceMapping(system, root.file, {name: _entity(name, node) for name, node in entities.items()}, says)


def _entity(name: str, node: Node) -> Entity:
    what = f"entity {name}"
    found = node.record(what, ("topic",), ("id", "revision", "look_ups", "collections", "publish", "file", "webhook"))
    look_ups = found["look_ups"].entries(f"look_ups of {name}") if "look_ups" in found else {}
    collections = found["collections"].entries(f"collections of {name}") if "collections" in found else {}
    publish = found["publish"].items(f"publish of {name}") if "publish" in found else []
    return Entity(
        name,
        found["topic"].text("topic"),
        expression(found["id"]) if "id" in found else Path(("id",), node.line),
        expression(found["revision"]) if "revision" in found else None,
        node.line,
        {key: _look_up(key, value) for key, value in look_ups.items()},
        {key: _collection(key, value) for key, value in collections.items()},
        tuple(_publication(item) for item in publish),
        layout_of(found["file"]) if "file" in found else None,
        webhook_of(found["webhook"]) if "webhook" in found else None,
    )


def _look_up(name: str, node: Node) -> LookUp:
    what = f"look-up {name}"
    found = node.record(what, ("entity",), ("id", "optional", "missing"))
    missing = found["missing"].text("missing") if "missing" in found else WAITS
    if missing != WAITS and not _CODE.fullmatch(missing):
        raise found["missing"].wrong(f"missing is {missing!r}; write waits, or an exception code such as UNKNOWN_USER")
    return LookUp(
        name,
        found["entity"].text("entity"),
        expression(found["id"]) if "id" in found else Path((name,), node.line),
        found["optional"].flag("optional") if "optional" in found else False,
        missing,
        node.line,
    )


def _collection(name: str, node: Node) -> Collection:
    found = node.record(f"collection {name}", ("entity", "by"))
    return Collection(name, found["entity"].text("entity"), expression(found["by"]), node.line)


def _publication(node: Node) -> CanonicalTemplate:
    found = node.record("a publication", ("topic", "fields"), ("split", "where"))
    return CanonicalTemplate(
        found["topic"].text("topic"),
        {name: expression(value) for name, value in found["fields"].entries("fields").items()},
        _split(found["split"]) if "split" in found else None,
        node.line,
        _differing(found["where"]) if "where" in found else (),
    )


def _differing(node: Node) -> tuple[Expression, ...]:
    values = node.record("where", ("differ",))["differ"].items("differ")
    if len(values) < 2:
        raise node.wrong(
            "differ compares a value with others; write two or more, such as [$seconds, $billable_seconds]"
        )
    return tuple(expression(value) for value in values)


def _split(node: Node) -> Split:
    found = node.record("split", ("quantity", "unit", "from", "to"))
    minutes = Minutes(expression(found["quantity"]), _unit(found["unit"]), node.line)
    return Split(minutes, expression(found["from"]), expression(found["to"]), node.line)


def _unit(node: Node) -> Unit:
    return node.one_of("unit", UNITS)


def expression(node: Node) -> Expression:
    """Any value of the language: see `sources.mapping`."""
    if node.is_list:
        return Items(tuple(expression(item) for item in node.items("a list")), node.line)
    if not node.is_record:
        value = node.scalar("a value")
        return path_or_text(node, value) if isinstance(value, str) else Constant(value, node.line)
    entries = node.entries("a nested record")
    operators = [name for name in entries if name.startswith("$")]
    if not operators:
        return Group({name: expression(value) for name, value in entries.items()}, node.line)
    if operators[0] not in _OPERATORS:
        raise node.wrong(f"there is no {operators[0]}; the operators are {', '.join(_OPERATORS)}")
    return _OPERATORS[operators[0]](node)


def path_or_text(node: Node, text: str) -> Constant | Path | Template:
    """The meaning of a text in a file: a constant, a path, or text around paths."""
    if "$" not in text:
        return Constant(text, node.line)
    if whole := _PATH.fullmatch(text):
        return _path(node, whole[1])
    # split on a pattern with one group: text, path, text, path, ..., text
    pieces = _HOLE.split(text)
    if any("$" in piece for piece in pieces[::2]):
        raise node.wrong(f"{text!r} is neither a path ($a.b) nor text around paths (GS-${{a.b}})")
    parts = [_path(node, piece) if index % 2 else piece for index, piece in enumerate(pieces) if piece]
    return Template(tuple(parts), node.line)


def _path(node: Node, steps: str) -> Path:
    return Path(tuple(steps.split(".")), node.line)


def _translate(node: Node) -> Expression:
    found = node.record("$translate", ("$translate", "to"), ("else",))
    table: dict[str, Scalar] = {
        code: value.scalar("a translation") for code, value in found["to"].entries("to").items()
    }
    other = Constant(found["else"].scalar("else"), found["else"].line) if "else" in found else None
    return Translate(expression(found["$translate"]), table, node.line, other)


def _code(node: Node) -> Expression:
    found = node.record("$code", ("$code", "kind"))
    of = expression(found["$code"])
    if not isinstance(of, Path | Template):
        raise found["$code"].wrong("$code must be a path to the code, or text around paths, such as $worker.email")
    return CodeLookup(of, found["kind"].text("kind"), node.line)


def _minutes(node: Node) -> Expression:
    found = node.record("$minutes", ("$minutes", "unit"))
    return Minutes(expression(found["$minutes"]), _unit(found["unit"]), node.line)


def _instant(node: Node) -> Expression:
    found = node.record("$instant", ("$instant",), ("format", "zone", "ambiguous"))
    ambiguous = found["ambiguous"].one_of("ambiguous", ("earlier", "later")) if "ambiguous" in found else None
    zone = _zone(found["zone"]) if "zone" in found else None
    return Instant(expression(found["$instant"]), node.line, _formats(found), zone, ambiguous)


def _day(node: Node) -> Expression:
    found = node.record("$day", ("$day",), ("format", "zone", "plus"))
    zone = _zone(found["zone"]) if "zone" in found else None
    plus = found["plus"].whole("plus") if "plus" in found else 0
    return Day(expression(found["$day"]), node.line, _formats(found), zone, plus)


def _between(node: Node) -> Expression:
    found = node.record("$between", ("$between", "and"))
    return Between(expression(found["$between"]), expression(found["and"]), node.line)


def _number(node: Node) -> Expression:
    found = node.record("$number", ("$number",), ("point", "grouping", "without"))
    return Number(
        expression(found["$number"]),
        found["point"].texts("point") if "point" in found else (".",),
        _optional_text(found, "grouping") or "",
        _optional_text(found, "without") or "",
        node.line,
    )


def _match(node: Node) -> Expression:
    found = node.record("$match", ("$match", "pattern"))
    pattern = found["pattern"].text("pattern")
    try:
        groups = re.compile(pattern).groups
    except re.error as broken:
        raise found["pattern"].wrong(f"{pattern!r} is no regular expression: {broken}") from None
    if groups != 1:
        raise found["pattern"].wrong(f"{pattern!r} must have one group: what to take, in parentheses")
    return Match(expression(found["$match"]), pattern, node.line)


def _first(node: Node) -> Expression:
    choices = node.record("$first", ("$first",))["$first"].items("$first")
    return First(tuple(expression(choice) for choice in choices), node.line)


def _formats(found: dict[str, Node]) -> tuple[str, ...]:
    if "format" not in found:
        return ()
    formats = found["format"].texts("format")
    if doubtful := confusable(formats):
        raise found["format"].wrong(
            f"{doubtful[0]!r} and {doubtful[1]!r} read one text as different days; name both in `dates` of `file`, "
            "where the whole file decides"
        )
    return formats


def _optional_text(found: dict[str, Node], name: str) -> str | None:
    return found[name].text(name) if name in found else None


def _zone(node: Node) -> str:
    name = node.text("zone")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise node.wrong(f"zone is {name!r}; write a name of the time zone database, such as Europe/Berlin") from None
    return name


def _each(node: Node) -> Expression:
    found = node.record("$each", ("$each", "order_by", "fields"))
    order_by = expression(found["order_by"])
    if not isinstance(order_by, Path):
        raise found["order_by"].wrong("order_by must be a path to a field of the collection's records, such as $from")
    fields = {name: expression(value) for name, value in found["fields"].entries("fields").items()}
    return Each(found["$each"].text("$each"), order_by, fields, node.line)


_OPERATORS: dict[str, Callable[[Node], Expression]] = {
    "$translate": _translate,
    "$code": _code,
    "$minutes": _minutes,
    "$instant": _instant,
    "$day": _day,
    "$between": _between,
    "$number": _number,
    "$match": _match,
    "$first": _first,
    "$each": _each,
}
