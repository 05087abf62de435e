"""Tokens of machines: made and revoked on the command line, kept as digests, each for its role and time."""

import json

import httpx2 as httpx
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from console.access import tokens
from devstack.stack import Stack
from storage.postgres import Pool
from tests.integration.access.doors import OWNER, acts, console, machine, token


def run(stack: Stack, database: str, *words: str) -> Result:
    environment = stack.settings.environment() | {"HOURSTREAM_POSTGRES_URL": database}
    return CliRunner().invoke(main, ["tokens", *words], env=environment)


def test_a_token_is_shown_once_works_and_is_revoked(stack: Stack, database: str, pool: Pool) -> None:
    made = run(stack, database, "create", "reporting", "--role", "viewer", "--rates", "--days", "7")
    assert made.exit_code == 0, made.output
    (given,) = [line for line in made.output.splitlines() if line.startswith("hs_")]
    with console(pool) as address, machine(address, given) as client:
        assert client.get("/api/v1/me").json() == {
            "name": "token:reporting", "roles": ["viewer"], "sees_rates": True, "sees_names": False
        }  # fmt: skip
        listed = run(stack, database, "list", "--json")
        assert given.rpartition("_")[2] not in listed.output
        (known,) = [each for each in json.loads(listed.output) if each["name"] == "reporting"]
        assert (known["role"], known["sees_rates"], known["revoked_at"]) == ("viewer", True, None)
        assert known["last_used_at"] is not None
        assert run(stack, database, "create", "reporting", "--role", "viewer").exit_code == 1
        assert run(stack, database, "revoke", "reporting", "--reason", "replaced").exit_code == 0
        assert client.get("/api/v1/me").status_code == 401
        assert run(stack, database, "revoke", "reporting", "--reason", "again").exit_code == 1
    with pool.connection() as connection:
        kept = connection.execute("SELECT t::text FROM hourstream.api_tokens t").fetchall()
    assert given.rpartition("_")[2] not in str(kept)
    assert [act for _, act, name in acts(pool) if name == "reporting"] == ["create token", "revoke token"]


def test_a_token_ends_with_its_time(pool: Pool) -> None:
    given = token(pool, "viewer")
    with console(pool) as address, machine(address, given) as client:
        assert client.get("/api/v1/me").status_code == 200
        with pool.connection() as connection:
            connection.execute("UPDATE hourstream.api_tokens SET expires_at = now() - interval '1 second'")
        assert client.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("days", [0, 367])
def test_no_token_lasts_for_good(pool: Pool, days: int) -> None:
    with pytest.raises(ValueError, match="days"):
        tokens.create(pool, f"for {days}", "viewer", sees_rates=False, days=days, by=OWNER)


def forgeries(right: str) -> list[str]:
    """Headers that are nearly right."""
    head, _, secret = right.rpartition("_")
    return [
        f"Bearer {right}x", f"Bearer {right[:-1]}", f"Bearer {head}_", f"Bearer _{secret}", f"Bearer {head}",
        f"Bearer {right.upper()}", f"Bearer hs_' OR '1'='1_{secret}", "Bearer", f"Basic {right}", right,
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", "Bearer " + "x" * 5000,
    ]  # fmt: skip


def test_a_wrong_token_is_nobodys_and_too_many_wait(pool: Pool) -> None:
    right = token(pool, "admin")
    with console(pool) as address:
        for wrong in forgeries(right):
            answer = httpx.get(f"{address}/api/v1/me", headers={"Authorization": wrong}, timeout=60)
            assert answer.status_code == 401, wrong
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Bearer" in answer.headers["www-authenticate"]
        for _ in range(20):
            last = httpx.get(f"{address}/api/v1/me", headers={"Authorization": "Bearer hs_a_b"}, timeout=60)
        assert (last.status_code, last.headers["retry-after"]) == (429, "60")


def test_a_wrong_token_is_not_made_good_by_a_cookie_or_an_open_console(pool: Pool) -> None:
    with console(pool) as address:
        answer = httpx.get(f"{address}/", headers={"Authorization": "Bearer hs_a_b", "Accept": "text/html"}, timeout=60)
        assert answer.status_code == 401
