"""Every kind of row in the states of the agents: the prefix of its key, its agent, its key parts and what it holds.

A state is a flat map of bytes, so a row's kind is the first bytes of its key. Two kinds of one state must not begin
with one another: a scan of the shorter would meet rows of the longer. New kinds are declared here first. Prefixes that
are released stay as they are, for stored states are read by them.

Rows whose prefix begins with `~` are live figures: they are kept in memory too, for the metrics page.
"""

from dataclasses import dataclass

EVERY_AGENT = "every agent"


@dataclass(frozen=True, slots=True)
class RowKind:
    """One kind of row. `parts` name what follows the prefix in its key."""

    prefix: bytes
    owner: str
    parts: tuple[str, ...]
    what: str


def _rows(owner: str, prefix: bytes, parts: str, what: str) -> RowKind:
    return RowKind(prefix, owner, tuple(parts.split()), what)


# The batch plane's own rows, in the state of every agent.
CHANGELOG = _rows(EVERY_AGENT, b"\0changelog", "", "the id of the changelog topic that the store is a cache of")
REACHED = _rows(EVERY_AGENT, b"\0reached", "", "the next offset of the changelog to read")
WRITTEN = _rows(EVERY_AGENT, b"\0written", "", "when the store was written last, epoch ms")
POSITION = _rows(EVERY_AGENT, b"\0position:", "topic", "the next offset of a topic to read")
PART = _rows(EVERY_AGENT, b"\0part:", "key number", "a part of a value that is too long for one row")
WINDOW = _rows(EVERY_AGENT, b"~w", "minute outcome", "records of one minute by outcome")
TOTAL = _rows(EVERY_AGENT, b"~t", "name label...", "a running total")

WINNERS = _rows("masters", b"m", "topic id", "the winning revision of a master record")

BUCKETS = _rows("settle", b"b", "engagement bucket", "the facts of one group and how they are settled")
PLACES = _rows("settle", b"p", "engagement fact", "the bucket that holds a fact; follows from the buckets")
LOOKED = _rows("settle", b"l", "look-up engagement", "an engagement whose settlements looked up a master")
CONFLICTS = _rows("settle", b"c", "engagement subject", "an open exception about a conflict of revisions")
SUMMED = _rows("settle", b"k", "engagement month?", "the terms of an engagement by which its sums were made")
COUNTED = _rows("settle", b"s", "engagement bucket", "what the subjects of a coupled bucket count for in sums")
CHARGED = _rows("settle", b"t", "engagement month", "what the time of a month is charged, where a minimum looks at it")
MEMBERS = _rows("settle", b"f", "engagement bucket fact", "one fact of a bucket that is too large for one row")
ATTACHED = _rows("settle", b"a", "engagement bucket subject fact", "a fact that speaks of a subject of a large bucket")
NODES = _rows("settle", b"n", "engagement bucket node", "a node of a tree of sums")
WAITING = _rows("settle", b"w", "engagement bucket", "a coupled bucket that is to be settled once a backlog is read")
WAITING_COUNT = _rows("settle", b"~due", "", "how many coupled buckets are waiting")
CURSOR = _rows("settle", b"~sweep", "", "how far a change of masters has been applied")

HISTORIES = _rows("lifecycle", b"v", "engagement charge", "how far a charge has come")

ENTRIES = _rows("metrics", b"e", "engagement entry", "the winning revision of a time entry, and its first times")
CHARGES = _rows("metrics", b"c", "engagement charge", "what counts of a charge, its posting and invoice")
SUBJECTS = _rows("metrics", b"u", "engagement subject", "whether a subject was touched, and its posted minutes")
EXCEPTIONS = _rows("metrics", b"x", "engagement subject", "an exception as last told")
SUM = _rows("metrics", b"~s", "name part...", "a sum of what holds now")

ADVISORY_ENTRIES = _rows("advisories", b"e", "engagement entry", "the winning revision of a time entry")
ADVISORY_OVERLAPS = _rows("advisories", b"o", "engagement entry consultant", "an entry that was found to overlap")
INTERVAL_ENDS = _rows("advisories", b"i", "person group class start engagement entry", "the end of an interval of work")
INTERVAL_CLASSES = _rows("advisories", b"k", "person", "how many intervals a person has by group and class")
PERSON_WORK = _rows("advisories", b"w", "person engagement entry", "an entry as its consultant's partition knows it")
PERSON_DAYS = _rows("advisories", b"d", "person day", "the recorded minutes of a person's day")
TWINS = _rows("advisories", b"u", "engagement entry", "an entry as it is compared with those of other sources")
TWIN_GROUPS = _rows("advisories", b"t", "engagement person day minutes", "entries that may be one another")
WARNINGS = _rows("advisories", b"x", "engagement subject", "an open warning")

# Intake has a state a partition for all systems of its kind; its keys begin with the system's name and a NUL.
RECORD = _rows("intake", b"record", "entity id", "the source record as it stands, its revision and its origin")
OUTCOME = _rows("intake", b"outcome", "entity id", "what was made of a source record")
INDEX = _rows("intake", b"index", "link id page?", "how many records were put under an id, and pages of their ids")
WAITING = _rows("intake", b"waiting", "", "how many records wait for each entity")

ROW_KINDS: tuple[RowKind, ...] = tuple(kind for kind in list(globals().values()) if isinstance(kind, RowKind))
