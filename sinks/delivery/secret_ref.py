"""Secrets by reference: `env:NAME` or `file:/path`. The value appears in no setting, log, error or representation."""

import os
from dataclasses import dataclass
from pathlib import Path

from common.private import read_secret


class NoSecret(ValueError):
    """A secret is missing at its reference, or was written out; the text names the remedy never the secret."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference; `reveal` reads it each time, so that a file may be renewed while a process runs."""

    reference: str

    @classmethod
    def of(cls, reference: str) -> "Secret":
        """Raises NoSecret for a text that is no reference, without repeating it: it may be the secret itself."""
        kind, _, where = reference.partition(":")
        if kind not in ("env", "file") or not where:
            raise NoSecret("a secret is written as env:NAME or file:/path, never itself")
        return cls(reference)

    def reveal(self) -> str:
        """The secret. Raises NoSecret."""
        kind, _, where = self.reference.partition(":")
        if kind == "env":
            found = os.environ.get(where, "")
        else:
            try:
                found = read_secret(Path(where).expanduser()).decode("utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise NoSecret(
                    f"{self.reference} cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"
                ) from None
        if not found.isprintable():
            raise NoSecret(f"{self.reference} holds line ends or other characters that no header can carry")
        if not found:
            raise NoSecret(f"{self.reference} is empty or not set; put the secret there")
        return found
