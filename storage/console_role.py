"""The rights of the console's own database role: reads what it shows, writes what it keeps, owns nothing."""

from psycopg import sql

from storage.postgres import Pool, transaction

# Everything else is read only. Acts are only ever added to; tokens only have their last use noted.
_WRITES = {
    "console_sessions": "INSERT, UPDATE, DELETE",
    "console_logins": "INSERT, DELETE",
    "api_answers": "INSERT, UPDATE, DELETE",
    "acts": "INSERT",
    "api_tokens": "UPDATE (last_used_at)",
}


def grant_console(pool: Pool, role: str) -> None:
    """Grant an existing role the rights that the console needs; its other rights in the schema are revoked."""
    name = sql.Identifier(role)
    with transaction(pool) as cursor:
        cursor.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA hourstream FROM {}").format(name))
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA hourstream TO {}").format(name))
        cursor.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA hourstream TO {}").format(name))
        for table, rights in _WRITES.items():
            grant = f"GRANT {rights} ON hourstream.{table} TO {{}}"
            cursor.execute(sql.SQL(grant).format(name))
