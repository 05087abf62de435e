"""Classifies PostgreSQL errors by SQLSTATE, by their meaning for the batch.

- transient: the same batch may succeed later (connection, resources, conflicts of transactions, shutdown)
- configuration: only a person can repair it (password, database, schema, rights)
- content: a row of the batch is refused, now and later; the row is isolated
- unknown: none of these; it counts as content after a few tries
"""

from typing import Literal

import psycopg
from psycopg_pool import PoolTimeout

Kind = Literal["transient", "configuration", "content", "unknown"]
_CLASSES: dict[str, Kind] = {
    "08": "transient",  # connection
    "25": "transient",  # transaction state, such as a standby that only reads
    "40": "transient",  # serialization, deadlock
    "53": "transient",  # disk, memory, connections
    "55": "transient",  # locks
    "57": "transient",  # cancelled, shut down
    "58": "transient",  # the system outside PostgreSQL
    "28": "configuration",  # login
    "3D": "configuration",  # database
    "3F": "configuration",  # schema
    "42": "configuration",  # tables, columns, rights
    "21": "content",
    "22": "content",  # values
    "23": "content",  # constraints
    "44": "content",  # check option
    "54": "content",  # sizes, such as an index row of more than 2,704 bytes
    "P0": "content",  # raised by a trigger
}
_CONFLICTS = {"23505", "23P01"}  # another transaction may have written the same row


def kind_of(error: BaseException) -> Kind:
    """The kind of any exception that came out of a database transaction."""
    if isinstance(error, PoolTimeout):
        return "transient"
    if not isinstance(error, psycopg.Error):
        return "content"  # a value that cannot even be written to the database
    if error.sqlstate is None:
        # The client's own error: a lost connection, or a value it does not send (U+0000).
        return "transient" if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else "content"
    if error.sqlstate in _CONFLICTS:
        return "unknown"
    return _CLASSES.get(error.sqlstate[:2], "unknown")
