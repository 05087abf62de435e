"""The workers that another process runs on this home, as far as their notes and their status pages tell."""

import json
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from operations.quiescence import INPUTS, JOURNAL_WORKER


class SupervisorGone(RuntimeError):
    """The process that ran the workers has ended."""


class RunningWorkers:
    """The stream's own workers of a home that another process supervises; deliveries are not waited for."""

    def __init__(self, home: Path) -> None:
        self._run = home / "run"
        self.names: Sequence[str] = tuple(
            name for name in self._noted() if name in INPUTS or name.startswith(JOURNAL_WORKER)
        )

    def _noted(self) -> list[str]:
        try:
            found: dict[str, Any] = json.loads((self._run / "processes.json").read_text(encoding="utf-8"))
            return list(found["processes"])
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def check(self) -> None:
        """Raises SupervisorGone."""
        if not self._noted():
            raise SupervisorGone(
                "the stack of this home was stopped; what is published is worked off at its next start"
            )

    def status(self, name: str) -> dict[str, Any] | None:
        """A worker's /status; None while it does not answer."""
        try:
            noted = json.loads((self._run / f"worker-{name}.json").read_text(encoding="utf-8"))
            with urllib.request.urlopen(f"http://127.0.0.1:{int(noted['port'])}/status", timeout=5) as answer:
                status: dict[str, Any] = json.load(answer)
        except (OSError, ValueError, KeyError, TypeError, HTTPException):
            return None
        return status if status["pid"] == noted["pid"] else None
