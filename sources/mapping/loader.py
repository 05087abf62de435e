"""Mapping files: how the records of an upstream system become canonical events, without a line of Python.

A file names its `system` and its `entities`, and under `says` which of approved, invoiced, billable, breaks, deleted,
rounded and billable_part it maps (`mapped`) or why the source does not tell. An entity is one kind of source record:

    topic        where its records arrive; `id` (default `$id`) is the record's id and Kafka key
    revision     the field with the source's own revision, if it has one (a number, or text that sorts). Where it has
                 none, the order of arrival on the topic, which is keyed by id, is the source's order
    look_ups     other records, by id: `NAME: {entity, id, optional, missing}`. `id` is by default the field NAME.
                 A record whose look-up has not arrived waits for it; `missing: UNKNOWN_USER` raises that exception
                 instead. With `optional`, an empty id is no look-up; without, it is an exception
    collections  all records of an entity that point here: `NAME: {entity, by}`, `by` being their field with this id
    publish      what is made of a record: a list of `{topic, fields, split, where}`; `source` and `revision` fill
                 themselves. With `where: {differ: [$a, $b, 0]}` only where the first value differs from the others
    file         how its records stand in exported files, and
    webhook      how its system signs what it sends: docs/sources.md

A value is one of

    18F, 30, true, null, "8.5"         a constant; decimals in quotes, dates as YYYY-MM-DD
    $hours_spent                       a field
    $timecard.reporting_period.end     a field of a record found through look-ups; absent where an optional one is empty
    GS-${grade.grade}                  text around paths; absent where one of them is
    {$translate: $state, to: {A: b}}   a code of the source by a table; others are `else: c`, or without that
                                       UNMAPPED_CODE exceptions
    {$code: $worker.email, kind: consultant}
                                       a code of the source as the canonical id that `master.code-map` has for it; one
                                       that is not mapped is an UNMAPPED_CODE exception until it is. A path, or text
                                       around paths to fields of one record; absent where the code is
    {$minutes: $spent, unit: seconds}  whole minutes, half up, of hours, minutes or seconds, or of a clock's "h:mm" or
                                       "h:mm:ss"
    {$instant: $updated}               an ISO 8601 instant with any offset, in UTC; with `format: "%d.%m.%Y %H:%M"` (or
                                       a list: the first that fits) and `zone: Europe/Berlin` the time on clocks there.
                                       A time they skipped is an exception, one they showed twice too, unless
                                       `ambiguous: earlier` or `later` says which
    {$day: $started}                   the calendar day of an ISO 8601 date or instant, as its source wrote it; with
                                       `format` as above; with `zone` the day on clocks there; `plus: 1` a day on
    {$between: $from, and: $to}        whole minutes that truly passed between two instants, half up
    {$number: $price, point: ",", grouping: ".", without: "€"}
                                       a decimal as people write it; where `point` is a list, `1,234` is refused: put
                                       the column under `numbers` of `file`, where the whole file decides
    {$match: $currency, pattern: "([A-Z]{3})$"}
                                       the first group of a regular expression, which must be found
    {$first: [$task, $project]}        the first that is there
    {$each: NAME, order_by: $from, fields: {...}}
                                       a record for each of a collection, in that order; `$next.from` is the one after
    {street: $street, ...}, [...]      a nested record, a list

`split: {quantity, unit, from, to}` makes one record for each weekday (Monday to Friday, both ends included): the
quantity in whole minutes, half up, divided evenly, the remainder on the last day. Its fields then have `$split.date`
and `$split.minutes`.

Two source records must not make the same canonical record. A canonical transaction that is no longer made of its
source record is withdrawn by itself.
"""

from pathlib import Path

from sources.mapping.ast import SourceMapping
from sources.mapping.checker import check
from sources.mapping.code_map import with_codes
from sources.mapping.contracts import Contracts, DeclaredContracts
from sources.mapping.errors import MappingError
from sources.mapping.parser import mapping_of
from sources.mapping.personal_data import check_personal
from sources.mapping.yaml_nodes import parsed

__all__ = ["MappingError", "SourceMapping", "load_mapping", "read_mapping"]


def load_mapping(path: Path, contracts: Contracts | None = None) -> SourceMapping:
    """The mapping in a file, checked against the contracts (by default the declared ones).

    Raises MappingError with file, line and remedy.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as unreadable:
        raise MappingError(str(path), 1, f"cannot be read: {unreadable.strerror}") from None
    except UnicodeDecodeError:
        raise MappingError(str(path), 1, "is not UTF-8 text; save it as UTF-8") from None
    return read_mapping(str(path), text, contracts)


def read_mapping(file: str, text: str, contracts: Contracts | None = None) -> SourceMapping:
    """The mapping in a text; `file` is the name to use in errors."""
    mapping = with_codes(mapping_of(parsed(file, text)))
    check(mapping, contracts or DeclaredContracts())
    check_personal(mapping)
    return mapping
