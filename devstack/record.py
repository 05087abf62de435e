"""The record of supervised processes, their starts and their restarts with reasons: `HOME/run/processes.json`.

`hourstream status` reads it. It is written whole or not at all. If it cannot be written now (a full disk), the next
`write` tries again, and no process stops.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from signal import Signals
from typing import Any

import psutil

_KEPT = 20  # endings of one process that are kept in detail
_LINE = 500  # characters of a log line


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of a process that was to go on, or a start that failed (`exit_code` None)."""

    at: str
    exit_code: int | None  # negative: by that signal
    what: str
    last_line: str


@dataclass(slots=True)
class Entry:
    """One process that the supervisor keeps running."""

    log: str
    port: int | None = None
    pid: int | None = None
    started: float | None = None  # by the system's clock, as psutil reports it: with the pid it identifies one process
    since: str | None = None
    restarts: int = 0
    endings: deque[Ending] = field(default_factory=lambda: deque(maxlen=_KEPT))


class ProcessRecord:
    """The processes of one supervisor. All methods may be called from any thread, and raise nothing."""

    def __init__(self, home: Path, command: str) -> None:
        self._home, self._command = home, command
        self._since, self._began = _now(), psutil.Process().create_time()
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self._changed = True

    @staticmethod
    def file_of(home: Path) -> Path:
        """The file of the record of `home`'s supervisor."""
        return home / "run" / "processes.json"

    def started(self, name: str, pid: int | None, started: float | None, log: Path, port: int | None = None) -> None:
        """A process runs: for the first time, or again."""
        with self._lock:
            entry = self._entries.setdefault(name, Entry(str(log)))
            entry.restarts += bool(entry.endings) and entry.pid is None
            entry.pid, entry.started, entry.since = pid, started, _now()
            entry.port = port if port is not None else entry.port
            self._changed = True

    def listens(self, name: str, port: int) -> None:
        """Note a process's port."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None and entry.port != port:
                entry.port, self._changed = port, True

    def ended(self, name: str, exit_code: int | None, last_line: str) -> Ending:
        """A process ended without being asked to."""
        return self._down(name, exit_code, _told(exit_code), last_line)

    def not_started(self, name: str, why: str) -> Ending:
        """A restart failed; it is tried again."""
        return self._down(name, None, "could not be started", why)

    def _down(self, name: str, exit_code: int | None, what: str, last_line: str) -> Ending:
        ending = Ending(_now(), exit_code, what, " ".join(last_line.split())[:_LINE])
        with self._lock:
            entry = self._entries.setdefault(name, Entry(""))
            entry.pid = entry.started = None
            entry.endings.append(ending)
            self._changed = True
        return ending

    def names(self) -> list[str]:
        """The entries of all processes."""
        with self._lock:
            return list(self._entries)

    def endings(self, name: str) -> list[Ending]:
        """The latest endings of a process, oldest first."""
        with self._lock:
            return list(self._entries[name].endings) if name in self._entries else []

    def write(self) -> None:
        """Write what changed."""
        with self._lock:
            if not self._changed:
                return
            processes = {
                name: {**asdict(entry), "endings": [asdict(e) for e in entry.endings]}
                for name, entry in self._entries.items()
            }
            self._changed = False
        supervisor = {"pid": os.getpid(), "started": self._began, "since": self._since, "command": self._command}
        try:
            _replace(self.file_of(self._home), {"supervisor": supervisor, "processes": processes})
        except OSError:
            self._changed = True

    def close(self) -> None:
        """The supervisor ended in order: there is nothing to report."""
        with contextlib.suppress(OSError):
            self.file_of(self._home).unlink(missing_ok=True)


def _replace(file: Path, value: dict[str, Any]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        json.dump(value, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)


def _told(exit_code: int | None) -> str:
    if exit_code is None:
        return "ended"
    if exit_code < 0:
        with contextlib.suppress(ValueError):
            return f"ended by {Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
