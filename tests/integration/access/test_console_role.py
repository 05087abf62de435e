"""The console on a database role that owns nothing: everything works, and the audit cannot be touched."""

import secrets

import httpx2 as httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from storage.console_role import grant_console
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from tests.integration.access.doors import at_provider, browser, console, csrf, log_in, machine, token


def test_the_console_serves_on_a_role_that_owns_nothing(pool: Pool, database: str, provider: str) -> None:
    role, password = f"console_{secrets.token_hex(4)}", secrets.token_hex(16)
    with pool.connection() as connection:
        created = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        connection.execute(created)
    grant_console(pool, role)
    bearer = token(pool, "admin")
    own = make_conninfo(**conninfo_to_dict(database) | {"user": role, "password": password})
    with open_pool(own) as limited:
        assert migrate(limited) == ()
        with console(limited, **at_provider(provider)) as address:
            with machine(address, bearer) as client:
                for path in (
                    "/",
                    "/causes",
                    "/exceptions",
                    "/unbilled",
                    "/reconciliation",
                    "/api/v1/acts",
                    "/causes.csv",
                ):
                    assert client.get(path).status_code == 200, path
            with browser(address) as client:
                assert log_in(client, "ada").status_code == 303
                form = {"decision": "retry", "reason": "because", "ids": "unknown", "csrf": csrf(client, "/exceptions")}
                assert client.post("/decisions", data=form).status_code == 303
                assert client.post("/logout", data={"csrf": form["csrf"]}).status_code == 200
            assert httpx.get(address, timeout=60).status_code == 401
        for statement in (
            "UPDATE hourstream.acts SET name = 'x'",
            "DELETE FROM hourstream.acts",
            "ALTER TABLE hourstream.acts DISABLE TRIGGER ALL",
            "DROP TRIGGER acts_are_kept ON hourstream.acts",
            "UPDATE hourstream.api_tokens SET role = 'admin'",
            "UPDATE hourstream.charges SET amount = 0",
            "DELETE FROM hourstream.api_tokens",
            "CREATE TABLE hourstream.own (id int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), limited.connection() as connection:
                connection.execute(statement.encode())
    with pool.connection() as connection:
        owned = connection.execute("SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", (role,)).fetchone()
        assert owned == (0,)
        connection.execute(sql.SQL("DROP OWNED BY {0}").format(sql.Identifier(role)))
        connection.execute(sql.SQL("DROP ROLE {0}").format(sql.Identifier(role)))
