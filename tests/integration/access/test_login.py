"""Logging in at a real provider: who gets which role, how long it lasts, and what of it cannot be stolen or given."""

from collections.abc import Iterator
from typing import LiteralString
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest

from storage.postgres import Pool
from tests.integration.access.doors import acts, at_provider, browser, console, csrf, log_in


@pytest.fixture
def address(pool: Pool, provider: str) -> Iterator[str]:
    """A console of its own for each test: how often an address logs in is counted."""
    with console(pool, **at_provider(provider)) as started:
        yield started


@pytest.mark.parametrize(
    ("who", "roles", "sees_rates", "sees_names"),
    [
        ("vera", ["viewer"], False, False),
        ("otto", ["operator", "viewer"], False, True),
        ("ada", ["admin", "operator", "viewer"], True, True),
    ],
)
def test_roles_come_from_the_groups_that_the_provider_signs(
    address: str, pool: Pool, who: str, roles: list[str], sees_rates: bool, sees_names: bool
) -> None:
    with browser(address) as client:
        back = log_in(client, who, "/causes?code=NO_RATE")
        assert (back.status_code, back.headers["location"]) == (303, "/causes?code=NO_RATE")
        assert client.get("/").status_code == 200
        me = client.get("/api/v1/me").json()
    assert me == {"name": who, "roles": roles, "sees_rates": sees_rates, "sees_names": sees_names}
    assert acts(pool)[-1][:2] == (who, "log in")


def test_who_has_no_role_gets_in_nowhere(address: str, pool: Pool) -> None:
    with browser(address) as client:
        back = log_in(client, "nobody")
        assert back.status_code == 403
        assert "no group that has a role" in back.text
        assert client.get("/").status_code == 303
    assert acts(pool)[-1][1] == "refused login"


def test_a_page_asks_to_log_in_and_leads_back(address: str) -> None:
    with browser(address) as client:
        for path in ("/", "/exceptions?code=NO_RATE", "/charge?id=1"):
            sent = client.get(path)
            assert sent.status_code == 303
            onwards = urlsplit(sent.headers["location"])
            assert (onwards.path, parse_qs(onwards.query)["next"]) == ("/login", [path])


def test_the_request_to_the_provider_carries_state_nonce_and_a_challenge(address: str) -> None:
    with browser(address) as client:
        sent = [parse_qs(urlsplit(client.get("/login").headers["location"]).query) for _ in range(2)]
    for query in sent:
        assert query["code_challenge_method"] == ["S256"]
        assert query["redirect_uri"] == [f"{address}/login/callback"]
    for name in ("state", "nonce", "code_challenge"):
        assert sent[0][name] != sent[1][name]
        assert len(sent[0][name][0]) >= 43


def test_the_cookie_is_for_this_site_and_no_script(address: str, pool: Pool) -> None:
    with browser(address) as client:
        cookies = log_in(client, "vera").headers.get_list("set-cookie")
        (session,) = (cookie for cookie in cookies if cookie.startswith("hourstream="))
        secret = client.cookies["hourstream"]
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in session.split(";")}
    with pool.connection() as connection:
        kept = connection.execute("SELECT s::text FROM hourstream.console_sessions s").fetchall()
    assert secret not in str(kept)


def test_over_https_the_cookies_are_secure_and_bound_to_the_host(pool: Pool, provider: str) -> None:
    with console(pool, **at_provider(provider, console_url="https://books.example.com")) as address:
        answer = httpx.get(f"{address}/login", headers={"Host": "books.example.com"}, timeout=60)
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        (cookie,) = answer.headers.get_list("set-cookie")
        assert cookie.startswith("__Host-hourstream-login=")
        assert "; Secure" in cookie
        assert "redirect_uri=https%3A%2F%2Fbooks.example.com%2Flogin%2Fcallback" in answer.headers["location"]
        assert httpx.get(f"{address}/login", timeout=60).status_code == 421


def test_a_session_that_was_there_before_the_login_is_not_taken_up(address: str) -> None:
    with browser(address) as client, browser(address) as attacker:
        client.cookies.set("hourstream", "chosen-by-an-attacker", domain="127.0.0.1", path="/")
        attacker.cookies.set("hourstream", "chosen-by-an-attacker", domain="127.0.0.1", path="/")
        assert client.get("/").status_code == 303
        log_in(client, "ada")
        assert client.cookies["hourstream"] != "chosen-by-an-attacker"
        assert attacker.get("/").status_code == 303
        first = client.cookies["hourstream"]
        attacker.cookies.set("hourstream", first, domain="127.0.0.1", path="/")
        assert attacker.get("/").status_code == 200
        log_in(client, "ada")
        assert attacker.get("/").status_code == 303, "the earlier session of the browser ends with a new login"


def test_logging_out_ends_the_session_at_the_server(address: str, pool: Pool, provider: str) -> None:
    with browser(address) as client, browser(address) as thief:
        log_in(client, "ada")
        thief.cookies.set("hourstream", client.cookies["hourstream"], domain="127.0.0.1", path="/")
        assert client.post("/logout").status_code == 403
        form = {"csrf": csrf(client)}
        left = client.post("/logout", data=form)
        assert left.status_code == 200
        assert f"{provider}/oauth2/end_session" in left.text
        assert "hourstream" not in client.cookies
        assert thief.get("/").status_code == 303
        assert thief.post("/logout", data=form).status_code == 401
    assert acts(pool)[-1][:2] == ("ada", "log out")


@pytest.mark.parametrize("passed", ["seen_at = now() - interval '32 minutes'", "expires_at = now()"])
def test_a_login_ends_when_left_alone_and_at_last_anyhow(address: str, pool: Pool, passed: LiteralString) -> None:
    with browser(address) as client:
        log_in(client, "vera")
        assert client.get("/").status_code == 200
        with pool.connection() as connection:
            connection.execute("UPDATE hourstream.console_sessions SET " + passed)  # noqa: S608 - of the lines above
        assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    "onwards",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/x\r\nSet-Cookie: a=b",
        "/causes\x00",
        "http:evil.example",
        "",
    ],
)
def test_a_login_leads_to_a_page_of_ours_only(address: str, onwards: str) -> None:
    with browser(address) as client:
        back = log_in(client, "vera", onwards)
        assert (back.status_code, back.headers["location"]) == (303, "/")
        assert "a=b" not in str(back.headers)


def test_an_answer_of_the_provider_counts_once_and_in_its_own_browser(address: str, pool: Pool) -> None:
    with browser(address) as client, browser(address) as other:
        begun = client.get("/login")
        allowed = httpx.post(begun.headers["location"], data={"sub": "ada"}, timeout=60).headers["location"]
        assert other.get(allowed).status_code == 403, "another browser has no login on its way"
        wrong = allowed.replace("state=", "state=x")
        assert client.get(wrong).status_code == 403
        assert client.get(allowed).status_code == 403, "the login was taken by the wrong answer"
        begun = client.get("/login")
        allowed = httpx.post(begun.headers["location"], data={"sub": "ada"}, timeout=60).headers["location"]
        cookies = dict(client.cookies)
        assert client.get(allowed).status_code == 303
        client.cookies.update(cookies)
        assert client.get(allowed).status_code == 403, "replayed"
        begun = other.get("/login")
        denied = httpx.post(begun.headers["location"], data={"action": "deny"}, timeout=60).headers["location"]
        assert other.get(denied).status_code == 403
        assert other.get("/").status_code == 303
    assert [act for _, act, _ in acts(pool)[-3:]] == ["refused login", "log in", "refused login"]


def test_an_address_that_logs_in_too_often_waits(address: str) -> None:
    with browser(address) as client:
        answers = [client.get("/login") for _ in range(31)]
    assert {answer.status_code for answer in answers[:30]} == {303}
    assert answers[30].status_code == 429
    assert answers[30].headers["retry-after"] == "60"


def test_a_provider_that_is_down_is_told_so(pool: Pool) -> None:
    with console(pool, **at_provider("http://127.0.0.1:1")) as address, browser(address) as client:
        answer = client.get("/login")
        assert answer.status_code == 503
        assert "cannot log in now" in answer.text


def test_without_a_provider_the_page_says_what_to_set(pool: Pool) -> None:
    with console(pool) as address, browser(address) as client:
        answer = client.get("/login")
        assert (answer.status_code, "HOURSTREAM_OIDC_ISSUER" in answer.text) == (503, True)
