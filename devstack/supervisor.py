"""The worker processes of one machine: started, started again when they end, and asked how far they are.

A worker that is fenced or fails ends itself (the plane's only answer to a failure); starting it again is what heals it.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from common.exit_codes import EXIT_FENCED
from devstack.prometheus_targets import write_targets
from settings import Settings

_RECENT, _TOO_OFTEN = 60.0, 4  # seconds; failures within them


class WorkerFailed(RuntimeError):
    """A worker ended again and again without getting to work."""


class Workers:
    """Named worker processes under one home. Use as a context manager: they are stopped at its end."""

    def __init__(self, settings: Settings, names: Sequence[str], environment: Mapping[str, str]) -> None:
        self._settings, self.names = settings, tuple(names)
        self._environment = {**os.environ, **environment}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ended: dict[str, list[tuple[float, int]]] = {name: [] for name in names}
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._logs = settings.home / "logs"
        self._ports: dict[str, int] = {}  # as Prometheus was told

    def __enter__(self) -> "Workers":
        self._logs.mkdir(parents=True, exist_ok=True)
        for name in self.names:
            self.start(name)
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str) -> None:
        """Start one worker; not while `stop` is on its way, which would never hear of it."""
        self._page(name).unlink(missing_ok=True)
        command = [sys.executable, "-m", "cli.main", "worker", name, "--status-file", str(self._page(name))]
        with (self._logs / f"{name}.log").open("ab") as log, self._lock:
            if self._stopping.is_set():
                return
            self._processes[name] = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parents[1],
            )  # fmt: skip

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """The worker's present process."""
        return self._processes[name]

    def endings(self, name: str) -> list[int]:
        """Exit codes of the worker's former processes (negative: the signal that killed it)."""
        return [code for _, code in self._ended[name]]

    def _watch(self) -> None:
        due: dict[str, float] = {}  # when a worker that ended is started again
        while not self._stopping.wait(0.1):
            for name, process in list(self._processes.items()):
                if (code := process.poll()) is None:
                    continue
                if name not in due:
                    self._ended[name].append((time.monotonic(), code))
                    recent = [at for at, _ in self._ended[name] if time.monotonic() - at < _RECENT]
                    # The first time at once: its partitions wait for it.
                    due[name] = time.monotonic() + min(0.2 * (2 ** (len(recent) - 1) - 1), 10.0)
                elif time.monotonic() >= due[name]:
                    del due[name]
                    self.start(name)
            self._tell_prometheus()

    def _tell_prometheus(self) -> None:
        """A worker that is down stays a target: that it does not answer is what Prometheus must see."""
        ports = dict(self._ports)
        for name in self.names:
            with contextlib.suppress(OSError, ValueError):
                ports[name] = json.loads(self._page(name).read_text())["port"]
        if ports != self._ports:
            with contextlib.suppress(OSError):  # of a full disk, say: tried again at the next look
                write_targets(self._settings.home, ports)
                self._ports = ports

    def check(self) -> None:
        """Raise `WorkerFailed` when a worker cannot stay up, with the end of its log.

        Being killed or fenced is no failure of its own; ending by itself again and again is.
        """
        for name in self.names:
            recent = [code for at, code in self._ended[name] if time.monotonic() - at < _RECENT]
            failed = [code for code in recent if code > 0 and code != EXIT_FENCED]
            if len(failed) >= _TOO_OFTEN:
                log = self._logs / f"{name}.log"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise WorkerFailed(f"worker {name} failed {len(failed)} times in a minute; its log {log} ends:\n{tail}")

    def status(self, name: str) -> dict[str, Any] | None:
        """The worker's /status, None while it does not answer."""
        try:
            page = json.loads(self._page(name).read_text())
            with urllib.request.urlopen(f"http://127.0.0.1:{page['port']}/status", timeout=5) as answer:
                status: dict[str, Any] = json.load(answer)
        except (OSError, ValueError, HTTPException):
            return None
        return status if status["pid"] == self._processes[name].pid else None

    def metrics_url(self, name: str) -> str:
        """Where the worker's metrics are."""
        return f"http://127.0.0.1:{json.loads(self._page(name).read_text())['port']}/metrics"

    def _page(self, name: str) -> Path:
        return self._settings.home / "run" / f"worker-{name}.json"

    def stop(self) -> None:
        """Ask all to end, wait, and kill those that do not."""
        self._stopping.set()
        with self._lock:
            processes = list(self._processes.values())
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + 15
        for process in processes:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
