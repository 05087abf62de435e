"""Login at an OpenID provider: authorization code with PKCE, state and nonce; the ID token is verified.

joserfc checks signature and claims with the provider's own keys, asymmetric algorithms only. An unknown key id fetches
the keys again, so a provider may change them at any time.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode

import httpx2 as httpx
from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from console.access.settings import AccessSettings, is_loopback, right_of
from console.access.user import ROLES, User, roles_up_to

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
VIA = "login"
_LEEWAY_SECONDS = 60
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderUnreachable(Exception):
    """The provider does not answer, or gives an invalid answer; the text says what to check."""


class LoginRefused(Exception):
    """This login does not count; the text says why, and nothing secret."""


@dataclass(frozen=True, slots=True)
class Started:
    """A login on its way to the provider, with the values that the answer must repeat."""

    url: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """One OpenID provider, found by its discovery document at the first login."""

    def __init__(self, settings: AccessSettings, redirect_uri: str) -> None:
        self._settings, self._redirect_uri = settings, redirect_uri
        self._client_id, self._issuer = str(settings.oidc_client_id), str(settings.oidc_issuer)
        self._http = httpx.Client(timeout=10.0, follow_redirects=False)
        self._found: Mapping[str, object] | None = None
        self._keys: KeySet | None = None

    def close(self) -> None:
        """Close the connections to it."""
        self._http.close()

    def start(self) -> Started:
        """The address to send a browser to. Raises ProviderUnreachable."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": self._settings.oidc_scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = str(self._discovered()["authorization_endpoint"])
        return Started(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", state, nonce, verifier)

    def finish(self, code: str, verifier: str, nonce: str) -> User:
        """The user who logged in. Raises LoginRefused, ProviderUnreachable."""
        return self._user(self._checked(self._id_token(code, verifier), nonce))

    def issued_by(self, issuer: str | None) -> None:
        """Raises LoginRefused where an answer says that another provider gave it (RFC 9207)."""
        if issuer is not None and issuer != self._issuer:
            raise LoginRefused("the answer is another provider's")

    def leaving(self) -> str | None:
        """The address that ends the provider's own session; None if the provider names none."""
        endpoint = self._discovered().get("end_session_endpoint")
        return None if endpoint is None else _address(endpoint, "end_session_endpoint")

    def _discovered(self) -> Mapping[str, object]:
        if self._found is None:
            found = self._document(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self._issuer:
                said = str(found.get("issuer"))[:200]
                raise ProviderUnreachable(
                    f"the provider calls itself {said!r}, HOURSTREAM_OIDC_ISSUER {self._issuer!r}"
                )
            for name in _ENDPOINTS:
                _address(found.get(name), name)
            self._found = found
        return self._found

    def _id_token(self, code: str, verifier: str) -> str:
        found, secret = self._discovered(), self._settings.client_secret()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = secret is not None and isinstance(methods, list) and "client_secret_basic" in methods
        if not basic:
            form |= {"client_id": self._client_id} | ({} if secret is None else {"client_secret": secret})
        # RFC 6749: both are form-encoded before they are joined.
        names = urlencode({"i": self._client_id, "s": secret or ""}).split("&")
        auth = httpx.BasicAuth(names[0][2:], names[1][2:]) if basic else httpx.Auth()
        try:
            answer = self._http.post(str(found["token_endpoint"]), data=form, auth=auth)
        except httpx.HTTPError as error:
            raise ProviderUnreachable(f"the provider did not exchange the code: {type(error).__name__}") from error
        if answer.status_code >= 500:
            raise ProviderUnreachable(f"the provider answered {answer.status_code} to the code")
        token = _object(answer).get("id_token") if answer.status_code == 200 else None
        if not isinstance(token, str):
            raise LoginRefused("the provider gave no ID token for the code")
        return token

    def _checked(self, token: str, nonce: str) -> Mapping[str, object]:
        try:
            claims = self._signed(token)
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY_SECONDS,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            ).validate(dict(claims))
        except (ClaimError, BadSignatureError, InvalidKeyIdError) as error:
            raise LoginRefused(
                f"its ID token does not hold: {error.error} {error.description or ''}".strip()
            ) from error
        except (JoseError, ValueError, TypeError) as error:
            raise LoginRefused(f"its ID token does not hold: {type(error).__name__}") from error
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._client_id:
            raise LoginRefused("its ID token is for others as well, and not given to this console")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise LoginRefused("its ID token belongs to another login")
        return claims

    def _signed(self, token: str) -> Mapping[str, object]:
        known = self._keys is not None
        try:
            return jwt.decode(token, self._known_keys(), algorithms=ALGORITHMS).claims
        except (InvalidKeyIdError, BadSignatureError):
            if not known:
                raise
        self._keys = None
        return jwt.decode(token, self._known_keys(), algorithms=ALGORITHMS).claims

    def _known_keys(self) -> KeySet:
        if self._keys is None:
            document = self._document(str(self._discovered()["jwks_uri"]))
            keys = document.get("keys")
            found = keys if isinstance(keys, list) else []
            usable = [each for each in found if isinstance(each, dict) and each.get("kty") in ("RSA", "EC", "OKP")]
            if not usable:
                raise ProviderUnreachable("the provider has no keys to check an ID token with")
            self._keys = KeySet.import_key_set({"keys": usable})
        return self._keys

    def _user(self, claims: Mapping[str, object]) -> User:
        name = claims.get(self._settings.oidc_name_claim)
        if not isinstance(name, str) or not name.strip():
            raise LoginRefused(f"its ID token has no {self._settings.oidc_name_claim} to name you by")
        mapped = self._settings.oidc_roles
        named = [mapped[group] for group in groups(claims, self._settings.oidc_roles_claim) if group in mapped]
        rights = [right for each in named if (right := right_of(each)) is not None]
        if not rights:
            raise LoginRefused(f"{name} is in no group that has a role here. Ask an administrator for one")
        highest = max((right.role for right in rights), key=ROLES.index)
        sees_rates, sees_names = (any(right[n] for right in rights) for n in (1, 2))
        return User(name, roles_up_to(highest), sees_rates, VIA, sees_names)

    def _document(self, url: str) -> Mapping[str, object]:
        try:
            return _object(self._http.get(url).raise_for_status())
        except httpx.HTTPError as error:
            raise ProviderUnreachable(f"{url} did not answer as it should: {type(error).__name__}") from error


def groups(claims: Mapping[str, object], claim: str) -> list[str]:
    """A person's groups: the claim of that name, else the one its dots lead to; a single text is one group."""
    found: object = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _object(answer: httpx.Response) -> Mapping[str, object]:
    try:
        found = answer.json()
    except ValueError as error:
        raise ProviderUnreachable(f"{answer.url} is no JSON") from error
    if not isinstance(found, dict):
        raise ProviderUnreachable(f"{answer.url} is no JSON object")
    return found


def _address(value: object, name: str) -> str:
    url = httpx.URL(value) if isinstance(value, str) else None
    if url is None or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host))):
        raise ProviderUnreachable(f"the provider's {name} is no https address")
    return str(value)
