"""Settings of access to the console, from `HOURSTREAM_CONSOLE_*` and `HOURSTREAM_OIDC_*` variables.

A secret is in its variable, or in the file named by the variable with the suffix `_FILE`; it is never logged.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.private import read_secret
from console.access.user import ROLES
from settings import PREFIX, SettingsError

RATES, NAMES = "+rates", "+names"


class Right(NamedTuple):
    """The rights of a group: a role, and further data to show."""

    role: str
    sees_rates: bool
    sees_names: bool


def right_of(written: str) -> Right | None:
    """A right as `oidc_roles` writes it, `operator+rates+names`; None for an invalid one."""
    role, *others = written.split("+")
    if role not in ROLES or len(set(others)) != len(others) or not set(others) <= {RATES[1:], NAMES[1:]}:
        return None
    return Right(role, RATES[1:] in others, NAMES[1:] in others)


Minutes = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=120)]


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class AccessSettings(BaseSettings):
    """Settings of login and sessions. A field is the variable of its name in capitals after `HOURSTREAM_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    console_url: str | None = Field(None, description="address people open, https://host; unset: the bound address")
    console_open: bool = Field(False, description="every visitor may do everything; on a loopback address only")
    console_idle_minutes: Minutes = Field(30, description="how long a login lasts without a request")
    console_login_minutes: Minutes = Field(600, description="how long a login lasts at most")
    console_wait_seconds: Seconds = Field(60.0, description="how long a request waits for a connection, then 503")
    console_trusted_proxies: str = Field(
        "", description="addresses or networks of proxies, comma between, whose X-Forwarded-For counts; unset: none"
    )
    oidc_issuer: str | None = Field(None, description="issuer of the OpenID provider, as its discovery document says")
    oidc_client_id: str | None = Field(None, description="this console's client id there")
    oidc_client_secret: SecretStr | None = Field(None, repr=False, description="its secret; none for a public client")
    oidc_client_secret_file: Path | None = Field(None, description="file that holds it")
    oidc_scopes: str = Field("openid profile", description="scopes asked for; openid is among them")
    oidc_name_claim: str = Field("sub", description="claim that names a person in the audit; must never be reassigned")
    oidc_roles_claim: str = Field("groups", description="claim with a person's groups; dots lead into objects")
    oidc_roles: dict[str, str] = Field(
        {}, description='group to role, with +rates and +names to see them: {"finance": "operator+rates+names"}'
    )

    @field_validator("console_url", "oidc_issuer")
    @classmethod
    def _https_beyond_this_machine(cls, value: str | None) -> str | None:
        if not value:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        except ValueError:
            usable = False
        if not usable or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("write https://host; http:// is for loopback addresses only")
        return value

    @field_validator("console_trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for each in filter(None, (part.strip() for part in value.split(","))):
            try:
                if ipaddress.ip_network(each).prefixlen == 0:
                    raise ValueError
            except ValueError:
                raise ValueError(f"{each!r} is no address or network, 10.0.0.7 or 10.0.0.0/24") from None
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _roles(cls, value: dict[str, str]) -> dict[str, str]:
        for group, right in value.items():
            if right_of(right) is None:
                told = f"with {RATES} to see rates, {NAMES} to see names"
                raise ValueError(f"{group!r} has {right!r}; write {', '.join(ROLES)}, {told}")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.oidc_issuer is not None:
            if not self.oidc_client_id:
                raise ValueError(f"{PREFIX}OIDC_ISSUER needs {PREFIX}OIDC_CLIENT_ID as well")
            if not self.oidc_roles:
                raise ValueError(f"{PREFIX}OIDC_ISSUER needs {PREFIX}OIDC_ROLES, or no user has a role")
            if "openid" not in self.oidc_scopes.split():
                raise ValueError(f"{PREFIX}OIDC_SCOPES must have openid among them")
        if self.oidc_client_secret is not None and self.oidc_client_secret_file is not None:
            raise ValueError(f"set {PREFIX}OIDC_CLIENT_SECRET or {PREFIX}OIDC_CLIENT_SECRET_FILE, not both")
        return self

    @classmethod
    def load(cls, **given: object) -> Self:
        """Read the environment; `given` values win over it. Raises `SettingsError`, never showing a secret."""
        try:
            return cls(**given)  # type: ignore[arg-type]  # pydantic checks each value
        except ValidationError as error:
            lines = [
                f"{''.join(PREFIX + str(part).upper() + ': ' for part in item['loc'][:1])}"
                f"{item['msg'].removeprefix('Value error, ')}"
                for item in error.errors()
            ]
            raise SettingsError("\n".join(lines)) from None

    def client_secret(self) -> str | None:
        """The secret, read from its file where one is named. Raises SettingsError."""
        if self.oidc_client_secret_file is None:
            return None if self.oidc_client_secret is None else self.oidc_client_secret.get_secret_value()
        try:
            return read_secret(self.oidc_client_secret_file).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SettingsError(f"{PREFIX}OIDC_CLIENT_SECRET_FILE cannot be read: {said}") from error
