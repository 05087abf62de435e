"""Charges as records of `billing.ready`, and back."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from rating.model.charge import Charge, Component, Lineage, MasterRef
from topics import topic_names

READY = topic_names.BILLING_READY


def charge_record(charge: Charge) -> dict[str, object]:
    """A charge as the fields of `billing.ready`, without its ids and time."""
    record = _CHARGE(charge)
    record["components"] = [_COMPONENT(part) for part in charge.components]
    record["lineage"] = _LINEAGE(charge.lineage) | {"masters": [master_record(ref) for ref in charge.lineage.masters]}
    return record


def charge_of(record: Mapping[str, Any]) -> Charge:
    """The charge that a record of `billing.ready` says."""
    values = {name: record[name] for name in _CHARGE_FIELDS}
    values["components"] = tuple([Component(**part) for part in record["components"]])
    lineage = record["lineage"]
    values["lineage"] = Lineage(**lineage | {"masters": tuple([MasterRef(**ref) for ref in lineage["masters"]])})
    return Charge(**values)


def _fields_of(kind: type) -> Callable[[object], dict[str, object]]:
    """A function from a value of the dataclass `kind` to its fields by name: `asdict` without its copies."""
    names = tuple(field.name for field in fields(kind))
    values = attrgetter(*names)
    return lambda value: dict(zip(names, values(value), strict=True))


_CHARGE_FIELDS = tuple(field.name for field in fields(Charge))
_CHARGE, _COMPONENT, _LINEAGE, master_record = (_fields_of(kind) for kind in (Charge, Component, Lineage, MasterRef))
