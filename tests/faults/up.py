"""`hourstream up` as a person runs it, in a process of its own, and what a test does to it and asks it.

It has what `wait_until_quiet` asks of workers: names, whether they fail for good, and how far each is.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import psutil

from cli.status import supervised
from devstack.stack import Stack
from settings import CHECKOUT, Settings

COMMAND = (sys.executable, "-m", "cli.main")


class NotUp(AssertionError):
    """It did not come to where it was to come; the message ends with what it said."""


class Up:
    """`hourstream up` on one home; its output is in `home.up.log` beside the home."""

    def __init__(
        self, settings: Settings, arguments: Sequence[str] = (), more: Mapping[str, str] | None = None
    ) -> None:
        self.settings, self._arguments = settings, tuple(arguments)
        self.output = settings.home.with_name(f"{settings.home.name}.up.log")
        self.environment = {**os.environ, **settings.environment(), **(more or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Type the command."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*COMMAND, "up", *self._arguments], cwd=CHECKOUT, env=self.environment, stdout=output, stderr=output
            )

    def start(self, seconds: float = 120.0) -> float:
        """Type the command and wait until everything runs; gives how long that took."""
        began = time.monotonic()
        self.begin()
        self.await_that(self.all_well, "not everything runs", seconds)
        return time.monotonic() - began

    @property
    def pid(self) -> int:
        """Its own process."""
        assert self._process is not None
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs itself."""
        return self._process is not None and self._process.poll() is None

    def end(self, by: Signals = SIGTERM, seconds: float = 90.0) -> int:
        """End it by a signal; gives its exit code."""
        assert self._process is not None
        self._process.send_signal(by)
        return self._process.wait(seconds)

    def processes(self) -> dict[str, dict[str, Any]]:
        """What `hourstream status` knows of each process; empty where nothing runs."""
        found = supervised(self.settings.home)
        return {} if found is None else dict(found["processes"])

    def pid_of(self, name: str) -> int:
        """The present process of that name, once there is one."""
        self.await_that(lambda: self.processes().get(name, {}).get("running", False), f"{name} does not run")
        return int(self.processes()[name]["pid"])

    def kill(self, name: str, by: Signals = SIGKILL) -> None:
        """Send one of its processes a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid_of(name), by)

    def restarts(self) -> dict[str, int]:
        """How often each process was restarted."""
        return {name: entry["restarts"] for name, entry in self.processes().items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Its workers."""
        return tuple(name for name in self.processes() if name not in ("kafka", "postgres", "console", "seal"))

    def check(self) -> None:
        """It never gives up, so neither does who waits for it before its own time is over."""

    def status(self, name: str) -> dict[str, Any] | None:
        """A worker's /status, None while it does not answer."""
        entry = self.processes().get(name)
        if entry is None or not entry["running"] or entry["port"] is None:
            return None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{entry['port']}/status", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except (OSError, ValueError, HTTPException):
            return None
        return found if found["pid"] == entry["pid"] else None

    def all_well(self) -> bool:
        """Whether each process runs, and each worker answers and holds its partitions."""
        entries = self.processes()
        if not self.alive() or not entries or not all(entry["running"] for entry in entries.values()):
            return False
        answers = [self.status(name) for name in self.names]
        return bool(answers) and all(answer is not None and answer["partitions"] for answer in answers)

    @property
    def stack(self) -> Stack:
        """The servers it runs, for clients."""
        return Stack.joined(self.settings)

    def descendants(self) -> list[psutil.Process]:
        """Every process it started, grandchildren included."""
        return psutil.Process(self.pid).children(recursive=True)

    def await_that(self, happened: Callable[[], bool], otherwise: str, seconds: float = 120.0) -> None:
        """Wait until something is so. Raises NotUp."""
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                said = self.output.read_text(errors="replace").splitlines()[-20:] if self.output.exists() else []
                state = {name: entry["running"] for name, entry in self.processes().items()}
                raise NotUp("\n".join([f"{otherwise} within {seconds:g} s: {state}; it said:", *said]))
            time.sleep(0.2)

    def __enter__(self) -> "Up":
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive():
            try:
                self.end()
            except subprocess.TimeoutExpired:
                self.end(SIGKILL)


def gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether all of them ended."""
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
