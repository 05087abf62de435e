"""A schema's fingerprint: equal when two schemas mean the same bytes, whatever their documentation.

Avro's own canonical form drops logical types and defaults, so a changed scale would pass unnoticed. Here only
documentation is left out: doc, owner, data class, the promise of compatibility, the person.
"""

import hashlib
from collections.abc import Mapping

import orjson

from common.json_types import Json

_WORDING = frozenset({"doc", "owner", "data_class", "compatibility", "person", "known_as", "erasable"})


def fingerprint(schema: Mapping[str, Json]) -> str:
    """SHA-256 (hex) of the schema without its wording, keys sorted."""
    return hashlib.sha256(orjson.dumps(_bare(dict(schema)), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _bare(schema: Json) -> Json:
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key not in _WORDING}
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    return schema
