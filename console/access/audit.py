"""What people did, noted in the transaction of the act."""

import logging

from psycopg import Cursor
from psycopg.rows import TupleRow

from console.access.user import User

log = logging.getLogger("hourstream.console")


def record(cursor: Cursor[TupleRow], user: User, act: str, on: str, reason: str) -> None:
    """Note an act."""
    log.info("%s: %s on %s: %s", user.name, act, on, reason)
