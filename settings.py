"""Settings of every process, read from `HOURSTREAM_*` environment variables.

`Settings.load()` is the way in: it turns a bad value into a `SettingsError` whose text names the variable and says what
it may be. Without a broker or a database address the embedded stack is started (`devstack`). Addresses with a
password are kept out of every representation and error.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_state_path
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.private import read_secret, refuse_shared

PREFIX = "HOURSTREAM_"
CHECKOUT = Path(__file__).resolve().parent


def default_home(checkout: Path) -> Path:
    """The home where none is set: `.hourstream` of the checkout, or the user's state folder for an installed wheel."""
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".hourstream"
    return user_state_path("hourstream")


_NAME = re.compile(r"[a-z][a-z0-9-]*")
_HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
KafkaSecurity = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
_EMPTY_IS_UNSET = (
    "broker",
    "postgres_url",
    "schema_registry_url",
    "schema_ids",
    "cache",
    "targets",
    "billing_statuses",
    "routes",
    "people_erased_file",
    "seal_heads_file",
    "kafka_user",
    "kafka_password",
    "kafka_key_password",
)
_FILES = (
    "seal_key_file",
    "people_key_file",
    "kafka_ca_file",
    "kafka_cert_file",
    "kafka_key_file",
    "kafka_key_password_file",
    "kafka_password_file",
)
Seconds = Annotated[float, Field(gt=0)]


_SECRET_FILES = tuple(name for name in _FILES if name not in ("kafka_ca_file", "kafka_cert_file"))


class SettingsError(ValueError):
    """A setting is missing or cannot be used; the text names its variable and says what to do."""


class Settings(BaseSettings):
    """What a process needs to know of its surroundings. Times in seconds, sizes in MiB.

    Each field is the environment variable of the same name in capitals after `HOURSTREAM_`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    broker: str | None = Field(None, description="Kafka brokers, host:port[,host:port]; unset: the embedded broker")
    kafka_security: KafkaSecurity = Field("PLAINTEXT", description="security protocol of Kafka, by Kafka's names")
    kafka_ca_file: Path | None = Field(None, description="certificates to trust the brokers by; unset: the system's")
    kafka_cert_file: Path | None = Field(None, description="this process's own certificate (mTLS), PEM")
    kafka_key_file: Path | None = Field(None, description="the certificate's private key, PEM")
    kafka_key_password: str | None = Field(None, repr=False, description="password of the key, where it has one")
    kafka_key_password_file: Path | None = Field(None, description="file of that password, in place of it")
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256"] = Field("SCRAM-SHA-512", description="with SASL_*")
    kafka_user: str | None = Field(None, description="this process's name, with SASL_*")
    kafka_password: str | None = Field(None, repr=False, description="its password")
    kafka_password_file: Path | None = Field(None, description="file of that password, in place of it")
    postgres_url: str | None = Field(
        None, repr=False, description="postgresql://user:password@host:port/database; unset: the embedded server"
    )
    schema_registry_url: str | None = Field(
        None, repr=False, description="http(s) address of a Confluent-compatible registry; unset: ids from schemas/"
    )
    schema_ids: Path | None = Field(
        None, description="file of `hourstream schemas register`: ids the registry gave; unset: ids of schemas/"
    )
    seal_key_file: Path | None = Field(
        None, description="key file of the seals; unset: seals prove only what was not altered with them"
    )
    seal_heads_file: Path | None = Field(
        None, description="file of the heads of all chains of seals; unset: seals/heads below home"
    )
    sees_rates: bool = Field(True, description="false: `exceptions` and `trace` print no rate, cost or amount")
    people_key_file: Path | None = Field(
        None, description="file of the key that wraps the keys of persons; unset: personal data is published in clear"
    )
    people_erased_file: Path | None = Field(
        None, description="list of erasures, kept apart from backups; unset: people.erased beside the key's file"
    )
    home: Path = Field(
        default_factory=lambda: default_home(CHECKOUT),
        description="folder of state, data and logs; unset: .hourstream of the checkout, else the user's state folder",
    )
    cache: Path | None = Field(None, description="folder of downloaded jars; unset: the user's cache folder")

    partitions: Count = Field(4, description="partitions of every keyed topic; fixed once topics exist")
    replication: Count = Field(1, description="replicas of every topic")

    sources: str = Field("tock", description="sources whose intake is run, a comma between them: `sources list`")
    targets: Path | None = Field(None, description="file of the systems charges are delivered to; unset: none")

    session_seconds: Seconds = Field(10.0, description="group session timeout: how soon a dead worker is replaced")
    batch_seconds: Seconds = Field(0.05, description="longest time a batch gathers records before its transaction")
    batch_records: Count = Field(10_000, description="most records of a batch")

    request_seconds: Seconds = Field(60.0, description="longest time a request to the broker may take")
    stall_seconds: Seconds = Field(
        180.0, description="longest time without progress behind committed data, after which a worker ends and restarts"
    )

    metrics_host: str = Field("127.0.0.1", description="address a worker serves its Prometheus metrics on")
    metrics_port: Port = Field(0, description="port of a worker's Prometheus metrics; 0: any free one")

    routes: Path | None = Field(None, description="file of the routes of charges; unset: every system gets all")
    journals: str = Field("", description="further journals beside `journal`, NAME[,NAME]; each has a worker erp-NAME")
    approval_topics: str = Field(
        "",
        description="masters whose changes a second person approves, such as rate-cards,tax-rules",
    )
    billing_statuses: Path | None = Field(
        None, description="file that maps the status words of billing systems; unset: ours"
    )

    kafka_heap_mb: Annotated[int, Field(ge=256)] = Field(768, description="largest heap of the embedded broker")
    postgres_buffers_mb: Annotated[int, Field(ge=1)] = Field(64, description="shared buffers of the embedded server")
    start_seconds: Seconds = Field(180.0, description="how long an embedded server may take to answer")
    stop_seconds: Seconds = Field(20.0, description="how long an embedded server may take to stop by itself")

    @field_validator(*_EMPTY_IS_UNSET, *_FILES, mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("journals")
    @classmethod
    def _names(cls, value: str) -> str:
        names = [name for name in value.split(",") if name]
        if not all(_NAME.fullmatch(name) for name in names) or len(names) > len(set(names)) or "journal" in names:
            raise ValueError(
                f"{value!r} is no list of names; write NAME[,NAME], each of a-z, 0-9 and -, and not journal"
            )
        return value

    @field_validator("broker")
    @classmethod
    def _brokers(cls, value: str | None) -> str | None:
        for address in (value or "").split(",") if value is not None else ():
            match = _HOST_AND_PORT.fullmatch(address.strip())
            if match is None or not 0 < int(match[2]) <= 65535:
                raise ValueError(f"{address.strip()!r} is no broker address; write host:port[,host:port]")
        return value

    @field_validator("postgres_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        return _checked_url(value, ("postgresql", "postgres"), "postgresql://user:password@host:port/database")

    @field_validator("schema_registry_url")
    @classmethod
    def _registry(cls, value: str | None) -> str | None:
        return _checked_url(value, ("http", "https"), "http://host:port/path")

    @field_validator(
        "home",
        "cache",
        "schema_ids",
        "targets",
        "billing_statuses",
        "routes",
        "people_erased_file",
        "seal_heads_file",
        *_FILES,
    )
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @model_validator(mode="after")
    def _presentable(self) -> Self:
        """An incomplete SASL or mTLS setting would only show as a broker that does not answer."""
        missing = [name for name in _FILES if (file := getattr(self, name)) is not None and not file.is_file()]
        if missing:
            raise ValueError(f"{_variable(missing[0])} names no file: {getattr(self, missing[0])}")
        for name in _SECRET_FILES:
            self._refuse_shared(name)
        if (self.kafka_cert_file is None) != (self.kafka_key_file is None):
            raise ValueError(f"{_variable('kafka_cert_file')} and {_variable('kafka_key_file')} go together")
        if self.kafka_security.startswith("SASL"):
            if self.kafka_user is None or self.kafka_secret("password") is None:
                raise ValueError(
                    f"{self.kafka_security} needs {_variable('kafka_user')} and {_variable('kafka_password')} "
                    "(or …_PASSWORD_FILE)"
                )
        elif self.kafka_user is not None:
            raise ValueError(f"{_variable('kafka_user')} is for SASL_SSL or SASL_PLAINTEXT, not {self.kafka_security}")
        return self

    def _refuse_shared(self, name: str) -> None:
        file: Path | None = getattr(self, name)
        if file is not None:
            try:
                refuse_shared(file)
            except OSError as error:
                raise ValueError(f"{_variable(name)}: {file}: {error.strerror}") from None

    def kafka_secret(self, name: Literal["password", "key_password"]) -> str | None:
        """A password, out of its file where that is named; a line's end there is not part of it."""
        file: Path | None = getattr(self, f"kafka_{name}_file")
        given: str | None = getattr(self, f"kafka_{name}")
        return given if file is None else read_secret(file).decode("utf-8").rstrip("\r\n")

    @property
    def seal_key(self) -> bytes:
        """The key of seals; empty where none is set. Raises Shared, SettingsError for an empty file."""
        if self.seal_key_file is None:
            return b""
        key = read_secret(self.seal_key_file).strip()
        if not key:
            raise SettingsError(f"{_variable('seal_key_file')} names an empty file: {self.seal_key_file}")
        return key

    @property
    def seal_heads(self) -> Path:
        """The file where the heads of seals are kept."""
        return self.seal_heads_file or self.home / "seals" / "heads"

    @classmethod
    def load(cls, **given: object) -> Self:
        """Read the environment; `given` values win over it. Raises `SettingsError`, never showing a secret."""
        _refuse_misspelt(cls)
        try:
            return cls(**given)  # type: ignore[arg-type]  # pydantic checks each value
        except ValidationError as error:
            lines = [_explained(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
            raise SettingsError("\n".join(lines)) from None

    @property
    def bootstrap(self) -> str:
        """Kafka brokers to talk to. Raises `SettingsError` where neither a setting nor a started stack gave any."""
        return _required(self.broker, "broker")

    @property
    def database_url(self) -> str:
        """Address of the PostgreSQL database, password included: for a connection, never for a log."""
        return _required(self.postgres_url, "postgres_url")

    @property
    def cache_dir(self) -> Path:
        """Folder of downloads, shared by every checkout of this user; below home for a user without a home folder."""
        if self.cache is not None:
            return self.cache
        shared = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        existing = next(folder for folder in (shared, *shared.parents) if folder.exists())
        return shared / "hourstream" if os.access(existing, os.W_OK) else self.home / "cache"

    @property
    def source_names(self) -> tuple[str, ...]:
        """The sources whose intake is run."""
        return tuple(name.strip() for name in self.sources.split(",") if name.strip())

    def state_dir(self, process: str) -> Path:
        """Folder of the local state of one process, such as `settle`."""
        return self.home / "state" / process

    def environment(self) -> dict[str, str]:
        """Variables which give a child process exactly these settings (a database password among them)."""
        values = self.model_dump(exclude_none=True)
        return {PREFIX + name.upper(): str(value) for name, value in values.items()}


def _checked_url(value: str | None, schemes: tuple[str, ...], form: str) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in schemes and bool(parts.hostname or parts.query) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"is no address of the form {form}")
    return value


def _required(value: str | None, name: str) -> str:
    if value is None:
        raise SettingsError(f"{PREFIX}{name.upper()} is not set and no stack is running: `hourstream up` starts one")
    return value


def _explained(name: str, message: str) -> str:
    said = message.removeprefix("Value error, ")
    return f"{_variable(name)}: {said}" if name else said


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _refuse_misspelt(kind: type[Settings]) -> None:
    """A misspelt HOURSTREAM_BROKER must not silently mean «start a broker»."""
    known = {PREFIX + name.upper() for name in kind.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                raise SettingsError(f"{name} is no setting; did you mean {near[0]}?")
