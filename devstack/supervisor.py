"""Supervises the worker processes of one machine: starts them, restarts them when they end, and reads their status.

A worker that is fenced or fails ends itself (the plane's only answer to a failure); a restart heals it. The supervisor
never gives up and never ends from its own errors, such as a full disk or a removed log folder: it tries again.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from signal import SIGTERM
from typing import Any

from common.exit_codes import EXIT_FENCED
from devstack.child import Child, lasting_thread
from devstack.keeper import RestartDelay
from devstack.prometheus_targets import write_targets
from devstack.record import ProcessRecord
from settings import CHECKOUT, Settings

log = logging.getLogger(__name__)

_MODULE = "cli.main"
_FAILURES, _PATIENCE_SECONDS = 4, 120.0  # so many failures in a row over so long: see `Workers.check`
_STEADY_SECONDS = 60.0  # a process that lived so long had no failed start
_STOP_SECONDS, _ORPHAN_SECONDS = 15.0, 5.0


class WorkerFailed(RuntimeError):
    """A worker ended again and again without getting to work."""


class Workers:
    """Named worker processes under one home. Use as a context manager: they are stopped at its end.

    `others` are further commands of `hourstream` that are kept running beside them, by name (the console, the sealer).
    """

    def __init__(
        self,
        settings: Settings,
        names: Sequence[str],
        environment: Mapping[str, str],
        *,
        others: Mapping[str, Sequence[str]] | None = None,
        record: ProcessRecord | None = None,
    ) -> None:
        self._settings, self.names = settings, tuple(names)
        self._environment = {**os.environ, **environment}
        self._logs, self._run = settings.home / "logs", settings.home / "run"
        self._commands: dict[str, tuple[str, ...]] = {}
        self._commands |= {name: ("worker", name, "--status-file", str(self._page(name))) for name in names}
        self._commands |= {name: tuple(command) for name, command in (others or {}).items()}
        self._children = {name: self._child(name) for name in self._commands}
        self._record = record
        self._ended: dict[str, list[tuple[float, int]]] = {name: [] for name in self._commands}
        self._began: dict[str, float] = {}
        self._backoff = {name: RestartDelay() for name in self._commands}
        self._due: dict[str, float] = {}  # when a process that ended is started again
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._ports: dict[str, int] = {}  # as Prometheus knows it

    def _child(self, name: str) -> Child:
        return Child(name, self._run / f"{name}.pid", self._logs / f"{name}.log", append=True)

    def __enter__(self) -> "Workers":
        for name, child in self._children.items():
            child.end_leftover(SIGTERM, _ORPHAN_SECONDS)
            try:
                self.start(name)
            except OSError as error:
                self._not_started(name, error)
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str) -> None:
        """Start one process; not while `stop` runs, which would not end it. Raises OSError."""
        child = self._children[name]
        self._page(name).unlink(missing_ok=True)
        # A launcher becomes the process: on Linux the kernel ends it when this one ends, however that happens.
        command = [sys.executable, "-m", _MODULE, *self._commands[name]]
        with self._lock:
            if self._stopping.is_set():
                return
            child.spawn(command, cwd=CHECKOUT, mark=_MODULE, death_signal=SIGTERM, env=self._environment)
        self._began[name] = time.monotonic()
        if self._record is not None:
            self._record.started(name, child.pid, child.started, child.output)

    def process(self, name: str) -> "subprocess.Popen[bytes]":
        """The present process of that name."""
        process = self._children[name].process
        if process is None:
            raise WorkerFailed(f"{name} does not run")
        return process

    def endings(self, name: str) -> list[int]:
        """Exit codes of the worker's former processes (negative: the signal that killed it)."""
        return [code for _, code in self._ended[name]]

    def _watch(self) -> None:
        lasting_thread()
        while not self._stopping.wait(0.1):
            for name in self._children:
                try:
                    self._look_after(name)
                except Exception as error:  # a full disk, no process to be had: tried again
                    self._not_started(name, error)
            with contextlib.suppress(Exception):  # whatever it is, it must not end the watch
                self._tell_prometheus()
            if self._record is not None:
                self._record.write()

    def _look_after(self, name: str) -> None:
        child = self._children[name]
        if child.alive:
            child.remember()
            return
        if name not in self._due:
            self._note_end(name, child)
        elif time.monotonic() >= self._due[name]:
            self.start(name)
            del self._due[name]

    def _note_end(self, name: str, child: Child) -> None:
        code = child.exit_code or 0
        self._ended[name].append((time.monotonic(), code))
        # The first time at once: its partitions wait for it.
        self._due[name] = time.monotonic() + self._backoff[name].next()
        if self._record is not None:
            self._record.ended(name, code, child.last_line())

    def _not_started(self, name: str, error: Exception) -> None:
        self._due[name] = time.monotonic() + self._backoff[name].next()
        if self._record is not None:
            self._record.not_started(name, str(error))
        with contextlib.suppress(Exception):
            log.warning("%s could not be started, trying again: %s", name, error)

    def _tell_prometheus(self) -> None:
        """A worker that is down stays a target: that it does not answer is what Prometheus must see."""
        ports = dict(self._ports)
        for name in self.names:
            port = self._port(name)
            if port is not None:
                ports[name] = port
                if self._record is not None:
                    self._record.listens(name, port)
        if ports != self._ports:
            with contextlib.suppress(OSError):  # of a full disk, for example: tried again at the next check
                write_targets(self._settings.home, ports)
                self._ports = ports

    def check(self) -> None:
        """Raise `WorkerFailed` when a worker could not stay up for two minutes, with the end of its log.

        For commands that wait for a result. Being killed or fenced is no failure; ending by itself repeatedly is. A
        cause that passes in that time (a full disk) ends nothing.
        """
        for name in self.names:
            failed = self._failures_in_a_row(name)
            if len(failed) >= _FAILURES and time.monotonic() - failed[0] > _PATIENCE_SECONDS:
                output = self._children[name].output
                tail = self._children[name].last_words()
                raise WorkerFailed(f"worker {name} failed {len(failed)} times in a row; its log {output} ends:\n{tail}")

    def _failures_in_a_row(self, name: str) -> list[float]:
        """The times of the latest consecutive failures; empty while the worker runs steadily."""
        row: list[float] = []
        for at, code in self._ended[name]:
            if row and at - row[-1] > _STEADY_SECONDS:
                row = []
            if code > 0 and code != EXIT_FENCED:
                row.append(at)
        alive = name not in self._due and time.monotonic() - self._began.get(name, 0.0) > _STEADY_SECONDS
        return [] if alive else row

    def status(self, name: str) -> dict[str, Any] | None:
        """The worker's /status, None while it does not answer."""
        pid, port = self._children[name].pid, self._port(name)
        if pid is None or port is None:
            return None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as answer:
                status: dict[str, Any] = json.load(answer)
        except (OSError, ValueError, KeyError, TypeError, HTTPException):
            return None
        return status if status["pid"] == pid else None

    def metrics_url(self, name: str) -> str:
        """The address of the worker's metrics."""
        return f"http://127.0.0.1:{self._port(name)}/metrics"

    def _port(self, name: str) -> int | None:
        """The port a worker noted; the one known before where its note was removed meanwhile."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return int(json.loads(self._page(name).read_text())["port"])
        return self._ports.get(name)

    def _page(self, name: str) -> Path:
        return self._run / f"worker-{name}.json"

    def stop(self) -> None:
        """Ask all to end, wait, and kill those that do not."""
        self._stopping.set()
        with self._lock:
            children = list(self._children.values())
        for child in children:
            child.ask(SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in children:
            child.stop(SIGTERM, max(deadline - time.monotonic(), 0.1))
