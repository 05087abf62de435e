"""Compares charges in the database with their topic: every column of every row."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from psycopg.rows import dict_row

from invoicing.charge_projection import NAME
from schemas.codec import decode_for
from schemas.errors import Undecodable
from storage.bulk_load import CHARGE_COLUMNS, as_json
from storage.positions import position
from storage.postgres import Pool, transaction
from streaming.batch import Record
from streaming.topic_reader import partitions_of, read_partitions
from topics.catalogue import CHARGES_TOPIC

_COLUMNS = (*CHARGE_COLUMNS, "components", "lineage")
_ROWS = "SELECT * FROM hourstream.charges WHERE topic = %s AND partition = %s ORDER BY record_offset"
_GONE = "SELECT id FROM unnest(%s::text[]) AS id WHERE id NOT IN (SELECT charge_id FROM hourstream.charges)"


def differing(pool: Pool, broker: str) -> Iterator[str]:
    """Charges whose row differs from their record, or that lack a row or a record, as text. Raises Unreachable."""
    first: dict[str, str] = {}
    for _, partition in partitions_of(broker, [CHARGES_TOPIC]):
        yield from _of_partition(pool, _once(broker, partition, first, again := list[str]()), partition)
        yield from again


def _once(broker: str, partition: int, first: dict[str, str], again: list[str]) -> Iterator[Record]:
    """The records of a partition; `first` has where each charge was published, `again` which are published twice."""
    for record in read_partitions(broker, [(CHARGES_TOPIC, partition)]):
        with contextlib.suppress(Undecodable):  # a dead letter
            charge_id = decode_for(CHARGES_TOPIC, record.value or b"")["charge_id"]
            if first.setdefault(charge_id, _place(record)) != _place(record):
                again.append(f"{_place(record)} publishes {charge_id} again, which {first[charge_id]} has")
        yield record


def _of_partition(pool: Pool, records: Iterator[Record], partition: int) -> Iterator[str]:
    with transaction(pool) as cursor:
        reached = position(cursor, NAME, CHARGES_TOPIC, partition)
    record, rowless = next(records, None), list[Record]()
    for row in _rows(pool, partition):
        while record is not None and record.offset < row["record_offset"]:
            rowless.append(record)
            record = next(records, None)
        if record is None or record.offset != row["record_offset"]:
            yield f"hourstream.charges {row['charge_id']} comes from no record of {CHARGES_TOPIC}[{partition}]"
            continue
        if off := _off(row, record):
            yield f"hourstream.charges {row['charge_id']} is not what {_place(record)} says: {', '.join(off)}"
        record = next(records, None)
    while record is not None and record.offset < reached:
        rowless.append(record)
        record = next(records, None)
    for _ in records:  # not projected yet: only whether a charge is published again
        pass
    yield from _gone(pool, [each for each in rowless if each.offset < reached])


def _gone(pool: Pool, rowless: list[Record]) -> Iterator[str]:
    """Of records without their own row: the charges without any row; a repeated one has a row elsewhere."""
    charges = {}
    for record in rowless:
        try:
            charges[decode_for(CHARGES_TOPIC, record.value or b"")["charge_id"]] = record
        except Undecodable:
            continue  # a dead letter, which has no row
    with transaction(pool) as cursor:
        for (charge_id,) in cursor.execute(_GONE, (list(charges),)).fetchall():
            yield f"hourstream.charges has lost {charge_id} of {_place(charges[charge_id])}"


def _rows(pool: Pool, partition: int) -> Iterator[Mapping[str, Any]]:
    """The rows of a partition, in parts."""
    with transaction(pool) as cursor, cursor.connection.cursor("stored_charges", row_factory=dict_row) as rows:
        rows.execute(_ROWS, (CHARGES_TOPIC, partition))
        yield from rows


def _off(row: Mapping[str, Any], record: Record) -> list[str]:
    try:
        charge = decode_for(CHARGES_TOPIC, record.value or b"")
    except Undecodable as error:
        return [str(error)]
    return [name for name in _COLUMNS if not _same(row[name], charge[name])]


def _place(record: Record) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"


def _same(stored: object, said: object) -> bool:
    if isinstance(said, list | dict):
        return bool(stored == orjson.loads(as_json(said)))
    return stored == said
