"""The parts of a mapping that describe records in files and signatures of webhooks: read and checked."""

import codecs

from schemas.schema_types import AvroRecord, Boolean, Long, Optional, Text
from sources.mapping.ast import FORMATS, REPEATS, Dates, Entity, Layout, Path, Webhook
from sources.mapping.errors import MappingError
from sources.mapping.yaml_nodes import Node, nearest

_OPTIONAL = (
    "format",
    "encoding",
    "delimiter",
    "skip",
    "key",
    "repeats",
    "join",
    "records",
    "dates",
    "numbers",
    "leave_out",
    "filled",
)


def layout_of(node: Node) -> Layout:
    """`file` of an entity."""
    found = node.record("file", ("columns",), _OPTIONAL)
    encoding = found["encoding"].text("encoding") if "encoding" in found else "utf-8"
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise found["encoding"].wrong(f"encoding is {encoding!r}; write one such as utf-8 or windows-1252") from None
    columns = found["columns"].entries("columns")
    return Layout(
        found["format"].one_of("format", FORMATS) if "format" in found else "csv",
        encoding,
        found["delimiter"].text("delimiter") if "delimiter" in found else None,
        found["skip"].whole("skip") if "skip" in found else 0,
        {name: value.texts(f"column {name}") for name, value in columns.items()},
        found["key"].texts("key") if "key" in found else (),
        found["repeats"].one_of("repeats", REPEATS) if "repeats" in found else "separate",
        found["join"].texts("join") if "join" in found else (),
        tuple(found["records"].text("records").split(".")) if "records" in found else (),
        node.line,
        _dates_of(found["dates"]) if "dates" in found else None,
        {
            name: value.one_of(name, ("grouped", "ungrouped")) == "grouped"
            for name, value in (found["numbers"].entries("numbers") if "numbers" in found else {}).items()
        },
        {
            header: tuple(text.strip().casefold() for text in value.texts(header))
            for header, value in (found["leave_out"].entries("leave_out") if "leave_out" in found else {}).items()
        },
        found["filled"].texts("filled") if "filled" in found else (),
    )


def _dates_of(node: Node) -> Dates:
    found = node.record("dates", ("columns", "formats"), ("otherwise",))
    formats = found["formats"].texts("formats")
    otherwise = found["otherwise"].one_of("otherwise", formats) if "otherwise" in found else None
    return Dates(found["columns"].texts("columns"), formats, otherwise)


def webhook_of(node: Node) -> Webhook:
    """`webhook` of an entity."""
    found = node.record("webhook", ("signature",), ("records", "timestamp", "event"))
    event = found["event"].record("event", ("path", "deleted")) if "event" in found else {}
    signature = found["signature"].record("signature", ("header",), ("prefix",))
    return Webhook(
        tuple(found["records"].text("records").split(".")) if "records" in found else (),
        signature["header"].text("header"),
        signature["prefix"].text("prefix") if "prefix" in signature else "",
        found["timestamp"].text("timestamp") if "timestamp" in found else None,
        node.line,
        tuple(event["path"].text("path").split(".")) if event else (),
        event["deleted"].texts("deleted") if event else (),
    )


def check_layout(file: str, entity: Entity, shape: AvroRecord) -> None:
    """Hold `file` and `webhook` to the contract of the entity's topic: raises MappingError."""
    if entity.webhook is not None:
        _check_webhook(file, entity, entity.webhook)
    if entity.file is not None:
        _check_file(file, entity, entity.file, shape)


def _check_webhook(file: str, entity: Entity, webhook: Webhook) -> None:
    if entity.file is None or entity.file.format != "json":
        raise MappingError(file, webhook.line, f"{entity.name} needs a `file` of format json: webhooks are read by it")
    if webhook.timestamp is None and entity.revision is None:
        raise MappingError(
            file,
            webhook.line,
            f"{entity.name} has no revision and its webhook no signed timestamp, so an old message sent again would "
            "count as news; name the header of the timestamp, or the record's revision",
        )


def _check_file(file: str, entity: Entity, layout: Layout, shape: AvroRecord) -> None:
    fields = {field.name: field.shape for field in shape.fields}
    decided = (*layout.filled, *layout.numbers, *(() if layout.dates is None else layout.dates.columns))
    for name in (*layout.columns, *layout.key, *layout.joined, *decided):
        if name not in fields:
            hint = nearest(name, fields)
            raise MappingError(file, layout.line, f"{entity.topic} has no field `{name}`{hint}; correct or remove it")
    for name in (*layout.key, *layout.joined, *decided):
        if name not in layout.columns:
            raise MappingError(file, layout.line, f"`{name}` is no column of the file; add it to `columns`")
    if ("id" in layout.columns) == bool(layout.key):
        raise MappingError(file, layout.line, f"give {entity.name} either a column for `id` or a `key` to make one of")
    if layout.key and entity.id != Path(("id",), entity.id.line):
        raise MappingError(file, entity.line, f"{entity.name} has a `key`, so its id is `$id`; remove `id`")
    if layout.joined and layout.repeats != "same":
        raise MappingError(file, layout.line, "`join` needs `repeats: same`: rows are joined where they are one record")
    for name, found in fields.items():
        inner = found.inner if isinstance(found, Optional) else found
        if name in layout.columns and not isinstance(inner, Text | Long | Boolean):
            raise MappingError(file, layout.line, f"`{name}` is neither text, whole number nor truth in its contract")
        if name not in layout.columns and name != "id" and not isinstance(found, Optional):
            raise MappingError(file, layout.line, f"{entity.topic} needs the field `{name}`; add its column")
