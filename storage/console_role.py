"""What the console's own database role may do: read what it shows, write what it keeps, own nothing."""

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
    """Give an existing role what the console needs, and no more; whatever it had before in the schema is taken away."""
    name = sql.Identifier(role)
    with transaction(pool) as cursor:
        cursor.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA hourstream FROM {}").format(name))
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA hourstream TO {}").format(name))
        cursor.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA hourstream TO {}").format(name))
        for table, rights in _WRITES.items():
            grant = f"GRANT {rights} ON hourstream.{table} TO {{}}"
            cursor.execute(sql.SQL(grant).format(name))
