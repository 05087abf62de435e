"""The workers that another process runs on a home it holds, as their notes and their status pages tell."""

import json
import time
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from operations.quiescence import INPUTS, JOURNAL_WORKER

_SUPERVISING = ("up", "demo", "run", "publish", "approve")  # commands that run workers


class SupervisorGone(RuntimeError):
    """The process that ran the workers has ended."""


class RunningWorkers:
    """The stream's own workers of a home that another process supervises; deliveries are not waited for."""

    def __init__(self, home: Path, seconds: float) -> None:
        self._run = home / "run"
        deadline = time.monotonic() + seconds
        self.names: Sequence[str] = self._workers()
        # A supervisor that has just begun starts its workers once its servers answer.
        while not self.names and self._command() in ("", *_SUPERVISING) and time.monotonic() < deadline:
            time.sleep(0.2)
            self.names = self._workers()

    def _workers(self) -> tuple[str, ...]:
        return tuple(name for name in self._noted() if name in INPUTS or name.startswith(JOURNAL_WORKER))

    def _command(self) -> str:
        supervisor = self._record().get("supervisor")
        return str(supervisor.get("command")) if isinstance(supervisor, dict) else ""

    def _noted(self) -> list[str]:
        processes = self._record().get("processes")
        return list(processes) if isinstance(processes, dict) else []

    def _record(self) -> dict[str, Any]:
        try:
            found = json.loads((self._run / "processes.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

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
