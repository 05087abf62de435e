"""Checks the targets file's options of a billing application over HTTP, and makes the target."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sinks.delivery.secret_ref import Secret
from sinks.http.client import Calls
from sinks.http.credentials import ClientCredentials, Credentials, Key, NoCredentials
from sinks.http.mapping import load
from sinks.http.target import HttpTarget


def _reference(value: str) -> str:
    return Secret.of(value).reference


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in value:
        raise ValueError("write https://host[:port][/path], without user, password or query")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise ValueError("money goes over https; http is for this machine only")
    return value.rstrip("/")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


SecretReference = Annotated[str, AfterValidator(_reference)]
Url = Annotated[str, AfterValidator(_url)]
Seconds = Annotated[float, Field(gt=0, le=600)]


class _HttpOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KeyOptions(_HttpOptions):
    """Our key, sent in a header."""

    kind: Literal["key"]
    key: SecretReference
    header: str = "Authorization"
    scheme: str = "Bearer"


class ClientOptions(_HttpOptions):
    """We are an OAuth 2 client."""

    kind: Literal["oauth2"]
    token_url: Url
    client_id: str = Field(min_length=1)
    client_secret: SecretReference
    scope: str | None = None


class HttpOptions(_HttpOptions):
    """All of it. Paths are relative to the targets file."""

    url: Url
    mapping: Path
    auth: Annotated[KeyOptions | ClientOptions, Field(discriminator="kind")] | None = None
    sign: SecretReference | None = None
    connect_seconds: Seconds = 5.0
    answer_seconds: Seconds = 30.0
    ca: Path | None = None
    health: Annotated[str, Field(pattern="^/")] | None = None


def target(name: str, options: Mapping[str, object], folder: Path) -> HttpTarget:
    """The target of these options. Raises pydantic's ValidationError, MappingError, NoSecret, OSError."""
    given = HttpOptions.model_validate(options)
    calls = Calls(given.connect_seconds, given.answer_seconds, None if given.ca is None else folder / given.ca)
    sign = None if given.sign is None else Secret.of(given.sign)
    if sign is not None:
        sign.reveal()
    credentials = _credentials(given.auth, calls)
    return HttpTarget(name, given.url, load(folder / given.mapping), calls, credentials, sign, given.health)


def _credentials(auth: KeyOptions | ClientOptions | None, calls: Calls) -> Credentials:
    """Reads the secret, so that a missing one is reported now and not at the first charge."""
    if auth is None:
        return NoCredentials()
    secret = Secret.of(auth.key if isinstance(auth, KeyOptions) else auth.client_secret)
    secret.reveal()
    if isinstance(auth, KeyOptions):
        return Key(secret, auth.header, auth.scheme)
    return ClientCredentials(calls, auth.token_url, auth.client_id, secret, auth.scope)
