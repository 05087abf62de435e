"""One server process of the embedded stack: started, recognised again by a later run, stopped, killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from devstack.errors import StackError

_LAUNCHER = Path(__file__).with_name("launch.py")
# The kernel counts a start time in hundredths since boot and boot time is itself rounded.
_SAME_START_SECONDS = 2.0


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

    def __init__(self, name: str, pid_file: Path, output: Path) -> None:
        self.name = name
        self.output = output
        self._pid_file = pid_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while the server runs."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether the server this object started still runs."""
        return self._process is not None and self._process.poll() is None

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
        # The kernel sends the death signal when the *thread* that started the child ends.
        guarded = threading.current_thread() is threading.main_thread()
        user = (run_as.uid, run_as.gid, int(run_as.reach)) if run_as else (-1, -1, 0)
        head = [os.getpid(), int(death_signal) if guarded else 0, *user]
        launcher = [sys.executable, "-I", str(_LAUNCHER), *map(str, head)]
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("wb") as sink:
            self._process = subprocess.Popen(
                [*launcher, *command],
                cwd=cwd,
                env=dict(env) if env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is for the parent, which then stops its servers in order
            )
        self._remember(mark)

    def _remember(self, mark: str) -> None:
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):  # it failed at once: the caller sees it not alive
            started = psutil.Process(self._process.pid).create_time()
            record = {"pid": self._process.pid, "started": started, "mark": mark}
            written = self._pid_file.with_suffix(".part")
            written.write_text(json.dumps(record), encoding="utf-8")
            written.replace(self._pid_file)

    def stop(self, by: signal.Signals, seconds: float) -> None:
        """Ask the server to stop, and kill it when it has not within `seconds`. Without a running server: nothing."""
        if self._process is not None:
            if self.alive:
                self._process.send_signal(by)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._pid_file.unlink(missing_ok=True)

    def finish(self, seconds: float) -> bool:
        """Wait for a process which ends by itself, killed when it has not within `seconds`; true if it succeeded."""
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
        leftover = self._leftover()
        if leftover is not None:
            try:
                leftover.send_signal(by)
                if not _gone(leftover, seconds):
                    leftover.kill()
                    _gone(leftover, seconds)
            except psutil.NoSuchProcess:
                pass
            except psutil.AccessDenied:
                raise StackError(
                    f"{self.name} of an earlier run still runs as process {leftover.pid} of another user: stop it first"
                ) from None
        self._pid_file.unlink(missing_ok=True)
        return leftover is not None

    def _leftover(self) -> psutil.Process | None:
        try:
            record = json.loads(self._pid_file.read_text(encoding="utf-8"))
            process = psutil.Process(int(record["pid"]))
            same_start = abs(process.create_time() - float(record["started"])) < _SAME_START_SECONDS
            same_command = any(str(record["mark"]) in argument for argument in process.cmdline())
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None
        except (ValueError, KeyError, TypeError):  # not written by us
            return None
        return process if same_start and same_command else None

    def last_words(self, *more: Path) -> str:
        """The end of the server's output, for an error text."""
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in (self.output, *more) if path.exists()]
        return "\n".join(line for text in texts for line in text.splitlines()[-12:])


def _gone(process: psutil.Process, seconds: float) -> bool:
    """Wait for a process which is no child of ours; a zombie nobody collects (a container without init) is gone too."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
