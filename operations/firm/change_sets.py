"""Change sets: kept with their effect when one person proposes them, published when another one approves."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from common.errors import SinkError
from operations.firm.changes import Change
from operations.firm.publish import Ready
from storage.postgres import Pool, transaction

_COLUMNS = (
    "change_set_id, file, summary, records, base, effect, reason, proposed_by, proposed_at, status, decided_by,"
    " decided_at, decided_reason"
)


class ChangeSetError(SinkError):
    """A change set that is not there, is decided already, or may not be approved by this person."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A proposal and its outcome."""

    change_set_id: str
    file: str
    summary: str
    records: Sequence[Mapping[str, Any]]
    base: Mapping[str, int]
    effect: dict[str, Any]
    reason: str
    proposed_by: str
    proposed_at: datetime
    status: str
    decided_by: str | None
    decided_at: datetime | None
    decided_reason: str | None

    @property
    def ready(self) -> list[Ready]:
        """Its records as they are published."""
        return [Ready(each["topic"], each["value"]) for each in self.records]

    def as_json(self) -> dict[str, Any]:
        """For scripts, without the records."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("records", "base")}


def base_name(identity: tuple[str, str, str]) -> str:
    """An identity as the key of `base`."""
    return json.dumps(identity)


def propose(
    pool: Pool,
    changes: Sequence[Change],
    records: Iterable[Ready],
    *,
    file: str,
    summary: str,
    effect: dict[str, Any],
    reason: str,
    by: str,
    at: datetime,
) -> ChangeSet:
    """Keep a change set. The same records on the same revisions by the same person are one."""
    kept = [{"topic": each.topic, "value": dict(each.value)} for each in records]
    base = {base_name(each.record.identity): each.before.revision if each.before else 0 for each in changes}
    content = json.dumps([[_timeless(each) for each in kept], base, by, reason], sort_keys=True)
    own = sha256(content.encode()).hexdigest()[:12]
    with transaction(pool) as cursor:
        cursor.execute(
            "INSERT INTO hourstream.change_sets"
            " (change_set_id, file, summary, records, base, effect, reason, proposed_by, proposed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (change_set_id) DO NOTHING",
            (own, file, summary, Jsonb(kept), Jsonb(base), Jsonb(effect), reason, by, at),
        )
        return _load(cursor, own)


def _timeless(each: Mapping[str, Any]) -> dict[str, Any]:
    return {**each, "value": {name: value for name, value in each["value"].items() if name != "occurred_at"}}


def load(pool: Pool, change_set_id: str) -> ChangeSet:
    """A change set by its id. Raises ChangeSetError, Unreachable."""
    with transaction(pool) as cursor:
        return _load(cursor, change_set_id)


def change_sets(pool: Pool, status: str | None = None, limit: int = 100) -> list[ChangeSet]:
    """The latest change sets, newest first."""
    with transaction(pool) as cursor:
        rows = cursor.execute(
            f"SELECT {_COLUMNS} FROM hourstream.change_sets WHERE %s::text IS NULL OR status = %s"  # noqa: S608 - columns named above
            " ORDER BY proposed_at DESC, change_set_id LIMIT %s",
            (status, status, limit),
        ).fetchall()
    return [ChangeSet(*row) for row in rows]


def refuse_approval(change_set: ChangeSet, by: str) -> None:
    """Raises ChangeSetError where this person may not approve it."""
    _refuse_decided(change_set)
    if by == change_set.proposed_by:
        raise ChangeSetError(f"{by} proposed {change_set.change_set_id}; another person approves it (--by NAME)")


def decide(
    cursor: Cursor[TupleRow], change_set_id: str, status: str, *, by: str, at: datetime, reason: str | None
) -> None:
    """Note a decision, in the caller's transaction. Raises ChangeSetError where it is decided already."""
    _refuse_decided(_load(cursor, change_set_id, lock=True))
    cursor.execute(
        "UPDATE hourstream.change_sets SET status = %s, decided_by = %s, decided_at = %s, decided_reason = %s"
        " WHERE change_set_id = %s",
        (status, by, at, reason, change_set_id),
    )


def _refuse_decided(found: ChangeSet) -> None:
    if found.status != "proposed":
        raise ChangeSetError(f"{found.change_set_id} is {found.status} already, by {found.decided_by}")


def _load(cursor: Cursor[TupleRow], change_set_id: str, lock: bool = False) -> ChangeSet:
    row = cursor.execute(
        f"SELECT {_COLUMNS} FROM hourstream.change_sets WHERE change_set_id = %s{' FOR UPDATE' if lock else ''}",  # noqa: S608 - columns named above
        (change_set_id,),
    ).fetchone()
    if row is None:
        raise ChangeSetError(f"there is no change set {change_set_id}: see `hourstream proposals list`")
    return ChangeSet(*row)
