"""The one definition of a charge: the contract and every other form of it agree with it."""

from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints

from console.api.models import Charge as Answer
from invoicing.charge_columns import CHARGE_COLUMNS
from rating.model.charge import CHARGE_FIELDS, PublishedCharge
from schemas import codec
from schemas.schema_types import Optional
from storage.charge_batch import ChargeRecord
from topics.catalogue import CHARGES_TOPIC
from warehouse.queries.traced_charges import TracedCharge

HINTS = get_type_hints(PublishedCharge)
PLAIN = (str, int, Decimal, date, datetime)


def plain(hint: object) -> set[object]:
    """The types a field may have, codes as text and nested records as `object`."""
    kinds = get_args(hint) if NoneType in get_args(hint) else (hint,)
    return {str if get_origin(kind) is Literal else kind if kind in (*PLAIN, NoneType) else object for kind in kinds}


def test_the_definition_has_the_fields_of_the_contract() -> None:
    assert set(CHARGE_FIELDS) == {field.name for field in codec.shape(CHARGES_TOPIC).fields}


def test_a_sink_reads_fields_of_the_definition_with_its_types() -> None:
    for name, hint in get_type_hints(ChargeRecord).items():
        assert plain(hint) == plain(HINTS[name]), name


def test_a_field_that_may_be_null_is_optional_in_the_definition_and_else_not() -> None:
    optional = {field.name for field in codec.shape(CHARGES_TOPIC).fields if isinstance(field.shape, Optional)}
    assert {name for name, hint in HINTS.items() if NoneType in plain(hint)} == optional


def test_columns_rows_and_answers_follow_from_the_definition() -> None:
    assert tuple(CHARGE_COLUMNS) == CHARGE_FIELDS
    assert set(CHARGE_FIELDS) < set(TracedCharge.__dataclass_fields__)
    left_out = {"kind", "legal_entity", "period", "po_number", "region"}
    assert set(CHARGE_FIELDS) - left_out == set(CHARGE_FIELDS) & set(Answer.model_fields)
