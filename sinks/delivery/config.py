"""The targets file (`HOURSTREAM_TARGETS`, YAML or TOML): which systems outside charges are delivered to, and how.

    targets:
      ledgerline:                     # the system's name on erp.postings
        kind: http                    # which adapter; its options are below the same name
        http: {url: ..., mapping: ..., ...}
        rate: {per_second: 5, burst: 1}
        concurrency: 4
        retry: {first_seconds: 0.5, longest_seconds: 60, budget_seconds: 600, longest_retry_after_seconds: 3600}
        breaker: {failures: 5, first_seconds: 5, longest_seconds: 60}
        statuses: {every_seconds: 60}   # polls for invoice statuses, if the system supports them

docs/sinks.md says what each means. Secrets are references (`sinks.delivery.secret_ref`).
"""

import importlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.errors import SinkError
from sinks.delivery.rate_limit import CallPolicy
from sinks.delivery.secret_ref import NoSecret
from sinks.delivery.status_source import StatusSource
from sinks.delivery.target import Target
from sources.mapping.errors import MappingError
from sources.mapping.yaml_nodes import Node, parsed

Factory: TypeAlias = Callable[[str, Mapping[str, object], Path], Target]
# Each adapter's module, and in it the function of (name, options, folder of the targets file) that makes the target.
KINDS: dict[str, tuple[str, str]] = {
    "http": ("sinks.http.options", "target"),
    "tryton": ("sinks.tryton.options", "target"),
}
_TAKEN = ("journal", "projection")  # sinks that are always there
_Seconds = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(ge=1)]


class TargetsError(SinkError):
    """A targets file is wrong; the text names the place and the remedy."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Rate(_Options):
    per_second: _Seconds
    burst: _Count = 1


class _Retry(_Options):
    first_seconds: _Seconds = 0.5
    longest_seconds: _Seconds = 60.0
    budget_seconds: _Seconds = 600.0
    longest_retry_after_seconds: _Seconds = 3600.0


class _Breaker(_Options):
    failures: _Count = 5
    first_seconds: _Seconds = 5.0
    longest_seconds: _Seconds = 60.0


class _Statuses(_Options):
    every_seconds: _Seconds = 60.0


class _Target(_Options):
    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    kind: str
    rate: _Rate | None = None
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    retry: _Retry = _Retry()
    breaker: _Breaker = _Breaker()
    statuses: _Statuses = _Statuses()


class _File(_Options):
    targets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], _Target] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Declared:
    """One target of a file; `make` makes its adapter, which is polled for statuses if it supports that."""

    name: str
    policy: CallPolicy
    make: Callable[[], Target]
    status_seconds: float = _Statuses().every_seconds  # between two polls


def declared(file: Path | None) -> dict[str, Declared]:
    """The targets of a file by name, none without a file. Raises TargetsError."""
    if file is None:
        return {}
    try:
        found = _File.model_validate(_read(file))
    except ValidationError as error:
        raise TargetsError(_explained(file, (), error)) from None
    return {name: _declared(file, name, target) for name, target in found.targets.items()}


def _read(file: Path) -> object:
    try:
        written = file.read_text(encoding="utf-8")
        return tomllib.loads(written) if file.suffix == ".toml" else _plain(parsed(str(file), written))
    except OSError as error:
        raise TargetsError(f"{file} cannot be read: {error.strerror}; HOURSTREAM_TARGETS names it") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetsError(f"{file}: {error}") from None
    except MappingError as error:
        raise TargetsError(str(error)) from None


def _plain(node: Node) -> object:
    """The content of a node. Repeated keys and aliases are refused as in mapping files."""
    if node.is_record:
        return {name: _plain(value) for name, value in node.entries("a record").items()}
    if node.is_list:
        return [_plain(item) for item in node.items("a list")]
    return node.yaml.value if node.yaml.tag.endswith(":float") else node.scalar("a value")


def _declared(file: Path, name: str, target: _Target) -> Declared:
    given = target.model_extra or {}
    if target.kind not in KINDS:
        raise TargetsError(f"{file}: targets.{name}.kind is {target.kind!r}; there are {', '.join(KINDS)}")
    if unknown := sorted(set(given) - {target.kind}):
        raise TargetsError(
            f"{file}: targets.{name} has no {unknown[0]!r}; its adapter's options go below {target.kind!r}"
        )
    if name in _TAKEN:
        raise TargetsError(f"{file}: {name} is the name of a sink that is always there; choose another")
    policy = CallPolicy(
        per_second=None if target.rate is None else target.rate.per_second,
        burst=1 if target.rate is None else target.rate.burst,
        concurrency=target.concurrency,
        first_pause=target.retry.first_seconds,
        longest_pause=target.retry.longest_seconds,
        budget=target.retry.budget_seconds,
        breaker_failures=target.breaker.failures,
        breaker_pause=target.breaker.first_seconds,
        longest_breaker_pause=target.breaker.longest_seconds,
        longest_retry_after=target.retry.longest_retry_after_seconds,
    )

    def make() -> Target:
        made = _made(file, name, target.kind, given.get(target.kind) or {})
        if "statuses" in target.model_fields_set and not isinstance(made, StatusSource):
            raise TargetsError(
                f"{file}: targets.{name}.statuses: kind {target.kind} cannot be polled for the status of its"
                " invoices; it has to send that itself (docs/sinks.md)"
            )
        return made

    return Declared(name, policy, make, target.statuses.every_seconds)


def _made(file: Path, name: str, kind: str, options: object) -> Target:
    module, function = KINDS[kind]
    make: Factory = getattr(importlib.import_module(module), function)
    where = ("targets", name, kind)
    try:
        if not isinstance(options, Mapping):
            raise TargetsError(f"{file}: {'.'.join(where)} must be a record of options")
        return make(name, options, file.parent)
    except ValidationError as error:
        raise TargetsError(_explained(file, where, error)) from None
    except (NoSecret, OSError) as error:
        raise TargetsError(f"{file}: {'.'.join(where)}: {error}") from None
    except MappingError as error:
        raise TargetsError(str(error)) from None


def _explained(file: Path, where: tuple[str, ...], error: ValidationError) -> str:
    lines = [(".".join(map(str, (*where, *each["loc"]))), each["msg"]) for each in error.errors(include_input=False)]
    return "\n".join(f"{file}: {place}: {said.removeprefix('Value error, ')}" for place, said in lines)
