"""The mapping language as a small typed tree. `sources.mapping.parser` reads it from YAML.

Every node knows its line in the file, so that a fault can be shown there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Scalar: TypeAlias = "str | int | bool | None"
Unit: TypeAlias = Literal["hours", "minutes", "seconds", "h:mm", "h:mm:ss"]
Repeats: TypeAlias = Literal["separate", "same"]
FileFormat: TypeAlias = Literal["csv", "json"]

WAITS = "waits"
SPLIT, NEXT = "split", "next"
UNITS: tuple[Unit, ...] = ("hours", "minutes", "seconds", "h:mm", "h:mm:ss")
REPEATS: tuple[Repeats, ...] = ("separate", "same")
FORMATS: tuple[FileFormat, ...] = ("csv", "json")
# What may keep a record from being billed, or billed in full: a source maps each, or declares why not.
STATES = ("approved", "invoiced", "billable", "breaks", "deleted", "rounded", "billable_part")
MAPPED = "mapped"


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every record."""

    value: Scalar
    line: int


@dataclass(frozen=True, slots=True)
class Path:
    """`$a.b.c`: a field of the record, or of a record found through look-ups."""

    steps: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return "$" + ".".join(self.steps)


@dataclass(frozen=True, slots=True)
class Template:
    """`GS-${grade.grade}`: text around paths; absent where one of its paths is."""

    parts: tuple["str | Path", ...]
    line: int

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else f"${{{'.'.join(part.steps)}}}" for part in self.parts)


@dataclass(frozen=True, slots=True)
class Translate:
    """A code of the source by a table; one that is not in it is `other`, or UNMAPPED_CODE where there is none."""

    of: "Expression"
    to: Mapping[str, Scalar]
    line: int
    other: Constant | None = None


@dataclass(frozen=True, slots=True)
class CodeLookup:
    """A code of the source that people map, as its key on `master.code-map`; absent where the code is.

    In the fields of a publication it stands for the canonical id: `sources.mapping.code_map` replaces it by the path to
    that id.
    """

    of: Path | Template
    kind: str
    line: int


@dataclass(frozen=True, slots=True)
class Minutes:
    """A number of hours, minutes or seconds, or a clock's h:mm or h:mm:ss, as whole minutes, half up."""

    of: "Expression"
    unit: Unit
    line: int


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant as UTC in milliseconds: ISO 8601, or in the first of `formats` that fits, by the clocks of `zone`.

    `ambiguous` says which one an hour is that clocks show twice: "earlier", "later", or None, which refuses it.
    """

    of: "Expression"
    line: int
    formats: tuple[str, ...] = ()
    zone: str | None = None
    ambiguous: str | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """The calendar day of a date or instant, as its source wrote it, or where clocks show `zone`; `plus` days on."""

    of: "Expression"
    line: int
    formats: tuple[str, ...] = ()
    zone: str | None = None
    plus: int = 0


@dataclass(frozen=True, slots=True)
class Between:
    """Whole minutes, half up, that truly passed from one instant to another, changes of the clocks included."""

    start: "Expression"
    end: "Expression"
    line: int


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal as a person or a spreadsheet writes it (`$1,234.50`, `1.234,50`), as plain decimal text."""

    of: "Expression"
    points: tuple[str, ...]
    grouping: str
    without: str
    line: int


@dataclass(frozen=True, slots=True)
class Match:
    """The first group of a regular expression that must be found in the text; absent where the text is."""

    of: "Expression"
    pattern: str
    line: int


@dataclass(frozen=True, slots=True)
class First:
    """The first of several values that is there."""

    choices: tuple["Expression", ...]
    line: int


@dataclass(frozen=True, slots=True)
class Group:
    """A nested record."""

    fields: Mapping[str, "Expression"]
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list written out."""

    items: tuple["Expression", ...]
    line: int


@dataclass(frozen=True, slots=True)
class Each:
    """One nested record for each member of a collection, in the order of one of its fields."""

    collection: str
    order_by: Path
    fields: Mapping[str, "Expression"]
    line: int


Expression: TypeAlias = (
    Constant
    | Path
    | Template
    | Translate
    | CodeLookup
    | Minutes
    | Instant
    | Day
    | Between
    | Number
    | Match
    | First
    | Group
    | Items
    | Each
)


@dataclass(frozen=True, slots=True)
class LookUp:
    """Another record, found by its id. `missing` is WAITS, or the exception code to raise until it arrives."""

    name: str
    entity: str
    id: Expression
    optional: bool
    missing: str
    line: int


@dataclass(frozen=True, slots=True)
class Collection:
    """All records of an entity whose `by` is this record's id."""

    name: str
    entity: str
    by: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Split:
    """Work of several days, divided over the weekdays from `first_day` to `last_day`, both included."""

    minutes: Minutes
    first_day: Expression
    last_day: Expression
    line: int


@dataclass(frozen=True, slots=True)
class CanonicalTemplate:
    """A canonical record, or one for each day of `split`, made of a source record.

    With `differ` it is made only where the first of these values differs from each of the others.
    """

    topic: str
    fields: Mapping[str, Expression]
    split: Split | None
    line: int
    differ: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Dates:
    """Columns whose dates a file writes in one of several formats: it decides as a whole. `otherwise` counts where it
    does not; without it doubtful dates are refused."""

    columns: tuple[str, ...]
    formats: tuple[str, ...]
    otherwise: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of an entity's records in files: see `sources.mapping`.

    `columns` has the possible headers (of JSON: the paths) of each field; without an `id` among them, the `key` fields
    make one. `records` is the path to the list of records in a JSON file. `numbers` are the columns whose decimal mark
    the file decides, each with whether thousands may be marked; `leave_out` has the values by header of rows not to
    take.
    `filled` are fields that may have no column, but then no empty cell.
    """

    format: FileFormat
    encoding: str
    delimiter: str | None
    skip: int
    columns: Mapping[str, tuple[str, ...]]
    key: tuple[str, ...]
    repeats: Repeats
    joined: tuple[str, ...]
    records: tuple[str, ...]
    line: int
    dates: Dates | None = None
    numbers: Mapping[str, bool] = field(default_factory=dict)
    leave_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """A system's signature of its messages: HMAC-SHA256 in hex, after `prefix` in `header`.

    `event` is the path to what happened, `deleted` the events whose records are withdrawn. With `timestamp` (a header
    with seconds since the epoch) the signature covers `TIMESTAMP.BODY`, else the body.
    """

    records: tuple[str, ...]
    header: str
    prefix: str
    timestamp: str | None
    line: int
    event: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of source record, its topic, and its publications."""

    name: str
    topic: str
    id: Expression
    revision: Expression | None
    line: int
    look_ups: Mapping[str, LookUp] = field(default_factory=dict)
    collections: Mapping[str, Collection] = field(default_factory=dict)
    publish: tuple[CanonicalTemplate, ...] = ()
    file: Layout | None = None
    webhook: Webhook | None = None

    @property
    def links(self) -> tuple[LookUp | Collection, ...]:
        """Everything of this entity that names another."""
        return (*self.look_ups.values(), *self.collections.values())


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """A whole mapping file. `says` has, of each word of `STATES`, MAPPED or why the source does not tell."""

    system: str
    file: str
    entities: Mapping[str, Entity]
    says: Mapping[str, str] = field(default_factory=dict)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics this mapping reads, in the order of the file."""
        return tuple(entity.topic for entity in self.entities.values())


def parts(expression: Expression) -> Iterator[Expression]:
    """The expressions directly inside one, evaluated for the same record (so not the fields of `Each`)."""
    match expression:
        case Template(pieces):
            yield from (piece for piece in pieces if isinstance(piece, Path))
        case Translate(of) | CodeLookup(of) | Minutes(of) | Instant(of) | Day(of) | Number(of) | Match(of):
            yield of
        case Between(start, end):
            yield from (start, end)
        case Group(fields):
            yield from fields.values()
        case Items(items) | First(items):
            yield from items
        case Constant() | Path() | Each():
            return


def expressions(publication: CanonicalTemplate) -> Iterator[Expression]:
    """Every outermost expression of a publication."""
    yield from publication.fields.values()
    yield from publication.differ
    if publication.split is not None:
        yield from (publication.split.minutes, publication.split.first_day, publication.split.last_day)
