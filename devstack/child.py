"""One server process of the embedded stack: start, recognise after a restart, stop, kill."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.private import UMASK
from devstack.leftover import end_process, recorded_process

log = logging.getLogger(__name__)

_LAUNCHER = Path(__file__).with_name("launch.py")
_TAIL_BYTES = 8192
_lasting = threading.local()


def lasting_thread() -> None:
    """Declare that the current thread outlives all children it starts.

    The kernel sends the death signal of a child when the *thread* that started it ends, not the process.
    """
    _lasting.yes = True


def _lasts() -> bool:
    return threading.current_thread() is threading.main_thread() or getattr(_lasting, "yes", False)


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a server runs as in place of root; `reach`: it must pass folders only root may enter."""

    uid: int
    gid: int
    reach: bool


class Child:
    """A server process with its pid file.

    The pid file holds pid, start time and a text its command line contains, so that a later run ends exactly the
    process this one left behind, never another one which was given the same pid.
    """

    def __init__(self, name: str, pid_file: Path, output: Path, *, append: bool = False) -> None:
        self.name = name
        self.output = output
        self._append = append  # keep the output of former processes
        self._pid_file = pid_file
        self._mark = ""
        self._started: float | None = None
        self._noted = True
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while the server runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def alive(self) -> bool:
        """Whether the server this object started still runs."""
        return self.pid is not None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The process started last, None before the first start and after `stop`."""
        return self._process

    @property
    def started(self) -> float | None:
        """The start of the last process, in seconds since 1970 by the system's clock."""
        return self._started

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last process; negative: a signal. None while it runs."""
        return None if self._process is None else self._process.poll()

    def spawn(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        mark: str,
        death_signal: signal.Signals,
        run_as: RunAs | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the server; `mark` is a part of its command line which no other process has (its data folder)."""
        user = (run_as.uid, run_as.gid, int(run_as.reach)) if run_as else (-1, -1, 0)
        head = [os.getpid(), int(death_signal) if _lasts() else 0, *user]
        launcher = [sys.executable, "-I", str(_LAUNCHER), *map(str, head)]
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab" if self._append else "wb") as sink:
            self._process = subprocess.Popen(
                [*launcher, *command],
                cwd=cwd,
                env=dict(env) if env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                umask=UMASK,
                start_new_session=True,  # Ctrl-C in a terminal is for the parent, which then stops its servers in order
            )
        self._mark, self._started, self._noted = mark, None, False
        self.remember()

    def remember(self) -> None:
        """Write the pid file if it is missing: a full disk must not end a running server."""
        process = self._process
        if self._noted or process is None:
            return
        try:
            self._started = self._started or psutil.Process(process.pid).create_time()
            record = {"pid": process.pid, "started": self._started, "mark": self._mark}
            self._pid_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            written = self._pid_file.with_suffix(".part")
            written.write_text(json.dumps(record), encoding="utf-8")
            written.replace(self._pid_file)
            self._noted = True
        except psutil.NoSuchProcess:  # it failed at once: the caller sees it not alive
            self._noted = True
        except OSError as error:
            log.warning("the pid file of %s is not written yet: %s", self.name, error)

    def stop(self, by: signal.Signals, seconds: float) -> None:
        """Ask the server to stop, and kill it when it has not within `seconds`. Without a running server: nothing."""
        process = self._process
        if process is not None:
            self.ask(by)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._process = None
        self._forget()

    def ask(self, by: signal.Signals) -> None:
        """Send the signal, and do not wait."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(by)

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            self._pid_file.unlink(missing_ok=True)

    def finish(self, seconds: float) -> bool:
        """Wait for a process that ends by itself; kill it after `seconds`; true if it succeeded."""
        succeeded = False
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                succeeded = self._process.wait(seconds) == 0
            self.kill()
        return succeeded

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL)."""
        self.stop(signal.SIGKILL, 60.0)

    def end_leftover(self, by: signal.Signals, seconds: float) -> bool:
        """End the server which a killed run left behind, if it is still there; true if there was one."""
        leftover = recorded_process(self._pid_file)
        if leftover is not None:
            end_process(self.name, leftover, by, seconds)
        self._forget()
        return leftover is not None

    def last_line(self, *more: Path) -> str:
        """The last line with text of its output, or of the first of `more` that has one; empty where there is none."""
        for path in (*more, self.output):
            lines = [line.strip() for line in _tail(path).splitlines() if line.strip()]
            if lines:
                return lines[-1]
        return ""

    def last_words(self, *more: Path) -> str:
        """The end of the server's output, for an error text."""
        texts = [_tail(path) for path in (self.output, *more)]
        return "\n".join(line for text in texts for line in text.splitlines()[-12:])


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
