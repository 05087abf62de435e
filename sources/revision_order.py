"""An arriving source record: its JSON form, id and revision, and its comparison with the stored one."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from common.ciphertext import kept_where_erased
from sources.mapping.ast import Entity, SourceMapping
from sources.mapping.contracts import Json
from sources.mapping.errors import Unmappable, Unusable
from sources.mapping.evaluator import RecordScope, evaluate, link_id
from sources.state import SourceOrigin, SourceRecordState, SystemRows


def arrived(
    mapping: SourceMapping,
    rows: SystemRows,
    entity: Entity,
    key: str,
    record: Mapping[str, object],
    origin: SourceOrigin,
) -> SourceRecordState:
    """The record as it would stand. Unusable where its key is not its id, or its revision is none."""
    content = {name: _as_json(value) for name, value in record.items()}
    scope = RecordScope(mapping, rows, entity, key, content)
    try:
        own_id = link_id(entity.id, scope)
        revision = None if entity.revision is None else evaluate(entity.revision, scope)
    except Unmappable as unmappable:
        raise Unusable(unmappable.message) from None
    if own_id != key:
        raise Unusable(f"{entity.topic}: the key is {key!r}, the record's own id {own_id!r}")
    if entity.revision is None:
        return SourceRecordState(content, None, origin)
    if isinstance(revision, bool) or not isinstance(revision, int | str):
        raise Unusable(f"{entity.topic} {key}: {revision!r} is no revision")
    return SourceRecordState(content, revision, origin)


def winner(before: SourceRecordState | None, after: SourceRecordState) -> SourceRecordState:
    """Select one of two records with one id (DOMAIN §1's rule, for the source's own revisions).

    Without revisions the later arrival counts, unless its content is equal. An equal revision with other content never
    replaces the first one seen, and is stored on it as a conflict. An erased value that arrives equals the stored one.
    """
    if before is None:
        return after
    after = msgspec.structs.replace(after, record=kept_where_erased(before.record, after.record))
    if after.revision is None or before.revision is None:
        return before if after.record == before.record else after
    if after.revision != before.revision:
        return after if _is_later(after.revision, before.revision) else before
    if after.record == before.record:
        return before
    conflict = f"revision {after.revision} came again with other content; the first stands"
    return msgspec.structs.replace(before, conflict=conflict)


def _is_later(revision: int | str, than: int | str) -> bool:
    if isinstance(revision, int) and isinstance(than, int):
        return revision > than
    if isinstance(revision, str) and isinstance(than, str):
        return revision > than
    raise Unusable(f"the revision {revision!r} cannot be compared with {than!r}")


def _as_json(value: object) -> Json:
    """A value of a decoded record in JSON form, as `schemas.json_codec` writes it."""
    match value:
        case None | str() | int():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case list():
            return [_as_json(item) for item in value]
        case Mapping():
            return {str(name): _as_json(item) for name, item in value.items()}
    raise Unusable(f"a {type(value).__name__} cannot be mapped")
