"""ID tokens that are not what they say: each refused, and nobody logged in. And keys that change: still let in."""

import base64
import hmac
import json
from collections.abc import Iterator

import httpx2 as httpx
import pytest
from joserfc import jwt

from storage.postgres import Pool
from tests.integration.access.doors import acts, at_provider, browser, console
from tests.integration.access.forger import Claims, Forge, Forger, forging, honest, new_key


@pytest.fixture(scope="module")
def forger() -> Iterator[Forger]:
    with forging() as started:
        yield started


@pytest.fixture
def address(pool: Pool, forger: Forger) -> Iterator[str]:
    forger.forge = honest
    with console(pool, **at_provider(forger.issuer)) as started:
        yield started


def log_in(client: httpx.Client, forger: Forger, **changed: str) -> httpx.Response:
    """There and back; `changed` is what the browser brings back otherwise."""
    brought = forger.allow(client.get("/login").headers["location"])
    return client.get("/login/callback", params=brought | changed)


def changed(**claims: object) -> Forge:
    """An honest token of other claims; None leaves a claim out."""

    def forge(forger: Forger, right: Claims) -> str:
        return honest(forger, {name: value for name, value in {**right, **claims}.items() if value is not None})

    return forge


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def unsigned(forger: Forger, right: Claims) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(right)}."


def unsigned_in_other_letters(forger: Forger, right: Claims) -> str:
    return f"{_part({'alg': 'NoNe', 'kid': 'first'})}.{_part(right)}."


def by_the_public_key_as_a_password(forger: Forger, right: Claims) -> str:
    signed = f"{_part({'alg': 'HS256', 'kid': 'first'})}.{_part(right)}"
    mac = hmac.digest(forger.key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def by_another_key(forger: Forger, right: Claims) -> str:
    return jwt.encode({"alg": "RS256", "kid": "first"}, right, new_key("first"))


def by_a_key_it_brings(forger: Forger, right: Claims) -> str:
    own = new_key("mine")
    return jwt.encode({"alg": "RS256", "kid": "mine", "jwk": own.as_dict(private=False)}, right, own)


def altered_after_it_was_signed(forger: Forger, right: Claims) -> str:
    head, _, signature = honest(forger, right).split(".")
    return f"{head}.{_part({**right, 'sub': 'somebody else'})}.{signature}"


FORGED: dict[str, Forge] = {
    "alg none": unsigned,
    "alg NoNe": unsigned_in_other_letters,
    "the public key as a password": by_the_public_key_as_a_password,
    "another key of the same name": by_another_key,
    "a key it brings itself": by_a_key_it_brings,
    "altered after it was signed": altered_after_it_was_signed,
    "expired": changed(exp=1_700_000_000),
    "without an expiry": changed(exp=None),
    "not valid yet": changed(nbf=4_000_000_000),
    "issued in the future": changed(iat=4_000_000_000),
    "for another audience": changed(aud="another-console"),
    "without an audience": changed(aud=None),
    "for several, given to another": changed(aud=["hourstream-console", "other"], azp="other"),
    "of another issuer": changed(iss="https://evil.example"),
    "of another login": changed(nonce="replayed"),
    "without a nonce": changed(nonce=None),
    "without a subject": changed(sub=None),
    "a subject that is no text": changed(sub={"$ne": None}),
    "groups that are no list of texts": changed(groups={"lead": True}),
    "no token at all": lambda forger, right: "no.token.here",
    "empty": lambda forger, right: "",
}


@pytest.mark.parametrize("what", FORGED)
def test_a_token_that_does_not_hold_lets_nobody_in(address: str, pool: Pool, forger: Forger, what: str) -> None:
    forger.forge = FORGED[what]
    with browser(address) as client:
        back = log_in(client, forger)
        assert back.status_code == 403, what
        assert client.get("/").status_code == 303
        assert "hourstream" not in client.cookies
    assert acts(pool)[-1][1] == "refused login"


def test_the_honest_one_is_let_in(address: str, forger: Forger) -> None:
    with browser(address) as client:
        assert log_in(client, forger).status_code == 303
        assert client.get("/api/v1/me").json()["name"] == "mallory"


def test_keys_are_fetched_anew_when_the_provider_changes_them(address: str, forger: Forger) -> None:
    with browser(address) as client:
        assert log_in(client, forger).status_code == 303
        asked = forger.asked_for_keys
        assert log_in(client, forger).status_code == 303
        assert forger.asked_for_keys == asked, "a known key is not asked for again"
        old, forger.key = forger.key, new_key("second")
        assert log_in(client, forger).status_code == 303
        forger.forge = lambda forger, right: jwt.encode({"alg": "RS256", "kid": "first"}, right, old)
        assert log_in(client, forger).status_code == 403, "the former key counts no more"


def test_an_answer_that_names_another_provider_is_refused(address: str, forger: Forger) -> None:
    with browser(address) as client:
        assert log_in(client, forger, iss="https://evil.example").status_code == 403
        assert log_in(client, forger, iss=forger.issuer).status_code == 303


def test_a_code_without_its_verifier_is_worth_nothing(address: str, forger: Forger) -> None:
    with browser(address) as client, browser(address) as attacker:
        stolen = forger.allow(client.get("/login").headers["location"])["code"]
        own = forger.allow(attacker.get("/login").headers["location"])
        assert attacker.get("/login/callback", params=own | {"code": stolen}).status_code == 403
