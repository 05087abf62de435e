"""Checks the targets file's options of a Tryton, and makes the target."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sinks.delivery.secret_ref import Secret
from sinks.http.client import Calls
from sinks.http.options import Seconds, SecretReference, Url
from sinks.tryton.client import TrytonClient
from sinks.tryton.target import TrytonTarget


class TrytonOptions(BaseModel):
    """`url` is the database's, http://host:8000/database; a path is relative to the targets file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Url
    key: SecretReference
    connect_seconds: Seconds = 5.0
    answer_seconds: Seconds = 120.0  # a call carries a thousand charges
    ca: Path | None = None


def target(name: str, options: Mapping[str, object], folder: Path) -> TrytonTarget:
    """The target of these options. Raises pydantic's ValidationError, NoSecret, OSError."""
    given = TrytonOptions.model_validate(options)
    key = Secret.of(given.key)
    key.reveal()  # a missing key is reported now, not at the first charge
    calls = Calls(given.connect_seconds, given.answer_seconds, None if given.ca is None else folder / given.ca)
    return TrytonTarget(name, TrytonClient(given.url, key, calls))
