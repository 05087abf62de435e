"""A contender's process tree: started, measured, stopped. Only processes started here are ever signalled."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from devstack import launch

_LAUNCHER = Path(launch.__file__)
_STOP_SECONDS = 30.0
_RESTORED = re.compile(r"restored (\d+) rows in ([\d.]+) s")


class ContenderFailed(RuntimeError):
    """A contender ended by itself, or did not finish in time; the message ends with its log."""


class Restored(NamedTuple):
    """Partitions that are restored, their rows, and the seconds of the slowest."""

    partitions: int
    rows: int
    seconds: float


class Worker:
    """One contender running. CPU seconds are user + system of it and all its children, ended ones included."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.log = log
        self._from = log.stat().st_size if log.exists() else 0
        self.started = time.monotonic()
        # Started by the embedded servers' launcher: however this process ends, the kernel ends the contender with it.
        guarded = [sys.executable, "-I", str(_LAUNCHER), str(os.getpid()), str(int(signal.SIGKILL)), "-1", "-1", "0"]
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [*guarded, *command], env={**os.environ, **environment}, cwd=cwd, stdin=subprocess.DEVNULL, stdout=sink,
                stderr=sink, start_new_session=True,
            )  # fmt: skip
        self._tree = psutil.Process(self._process.pid)

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self._process.pid

    def check(self) -> None:
        """Raise `ContenderFailed` where it has ended."""
        if (code := self._process.poll()) is not None:
            raise ContenderFailed(f"ended with {code}; the end of {self.log.name}:\n{self._last_words()}")

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        used = 0.0
        for process in self._processes():
            times = process.cpu_times()
            used += times.user + times.system
            used += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return used

    def peak_bytes(self) -> int:
        """The most memory it has had resident (VmHWM; where the kernel does not tell, what it has now)."""
        return sum(_peak(process) for process in self._processes())

    def threads(self) -> int:
        """Of all its processes now."""
        return sum(process.num_threads() for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        return [self._tree, *self._tree.children(recursive=True)]

    def restored(self) -> "Restored":
        """The progress of its restore, from its log: partitions restore beside each other."""
        with self.log.open("rb") as file:
            file.seek(self._from)
            found = _RESTORED.findall(file.read().decode(errors="replace"))
        longest = max((float(seconds) for _, seconds in found), default=0.0)
        return Restored(len(found), sum(int(rows) for rows, _ in found), longest)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for the rest of its session after a time limit."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def fail(self, why: str) -> ContenderFailed:
        """The error to raise, with the end of the log."""
        return ContenderFailed(f"{why}; the end of {self.log.name}:\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])


def _peak(process: psutil.Process) -> int:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return int(process.memory_info().rss)
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) << 10 if match else int(process.memory_info().rss)
