"""The audit of acts by people and machines, written in the transaction of the act; the database refuses changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import Cursor
from psycopg.rows import TupleRow, class_row

from console.access.user import User


@dataclass(frozen=True, slots=True)
class Act:
    """One act: actor, way in, action, object, reason and time."""

    act_id: int
    at: datetime
    name: str
    via: str
    act: str
    subject: str
    reason: str


def record(cursor: Cursor[TupleRow], user: User, act: str, on: str, reason: str) -> None:
    """Write an act to the audit; it is stored with the cursor's transaction."""
    cursor.execute(
        "INSERT INTO hourstream.acts (name, via, act, subject, reason) VALUES (%s, %s, %s, %s, %s)",
        (user.name, user.via, act, on, reason),
    )


def acts(cursor: Cursor[TupleRow], before: int | None, limit: int) -> list[Act]:
    """The newest acts, or those before one of them; at most `limit` + 1, so that an end is seen."""
    query: LiteralString = """
    SELECT act_id, at, name, via, act, subject, reason FROM hourstream.acts
    WHERE %(before)s::bigint IS NULL OR act_id < %(before)s ORDER BY act_id DESC LIMIT %(limit)s
    """
    with cursor.connection.cursor(row_factory=class_row(Act)) as reader:
        return reader.execute(query, {"before": before, "limit": limit + 1}).fetchall()
