"""Keeps one embedded server running: restarts it whenever it ends, on the same port and data, until it is stopped.

It never gives up, because a full disk is freed and a taken port is given back. The record and the log report failures.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Protocol

from devstack.child import Child, lasting_thread
from devstack.record import ProcessRecord

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_RECENT_SECONDS, _LONGEST_SECONDS = 60.0, 10.0


class RestartDelay:
    """The wait before the next start: at first none, then longer, up to 10 s."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=50)

    def next(self) -> float:
        """Note a failure of now; the seconds to wait."""
        now = time.monotonic()
        self._recent.append(now)
        recent = sum(now - at < _RECENT_SECONDS for at in self._recent)
        return float(min(0.2 * (2 ** (recent - 1) - 1), _LONGEST_SECONDS))


class Server(Protocol):
    """An embedded server that can be started again."""

    @property
    def child(self) -> Child:
        """Its process."""

    @property
    def port(self) -> int:
        """Its port, the same after every start."""

    def start(self) -> None:
        """Start it where it does not run, and wait until it answers."""

    def last_line(self) -> str:
        """The last line of its log."""


class Keeper:
    """Watches one server from a thread of its own."""

    def __init__(self, name: str, server: Server, record: ProcessRecord) -> None:
        self._name, self._server, self._record = name, server, record
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keep-{name}", daemon=True)

    def start(self) -> None:
        """Begin to watch a server that runs."""
        self._note()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. A restart in progress ends too; the caller must still stop the server it started."""
        self._stopping.set()
        while self._thread.is_alive():
            if not self._server.child.alive:
                self._thread.join(0.1)
            else:
                self._thread.join(1.0)
                if self._thread.is_alive():  # it waits for a server that does not answer
                    self._server.child.kill()

    def _run(self) -> None:
        lasting_thread()
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self._server.child.remember()
                if not self._server.child.alive:
                    self._restore()
                self._record.write()
            except Exception:  # a fault here must not leave the server without its keeper
                log.exception("the keeper of %s continues after an error", self._name)

    def _restore(self) -> None:
        ending = self._record.ended(self._name, self._server.child.exit_code, self._server.last_line())
        log.warning("%s %s (%s); it is started again", self._name, ending.what, ending.last_line)
        backoff = RestartDelay()
        while not self._stopping.wait(backoff.next()):
            self._record.write()
            try:
                self._server.start()
            except Exception as error:  # whatever the cause is, it may pass
                self._record.not_started(self._name, str(error).strip().splitlines()[-1] if str(error) else repr(error))
                log.warning("%s could not be started, trying again: %s", self._name, error)
            else:
                self._note()
                log.warning("%s runs again", self._name)
                return

    def _note(self) -> None:
        child = self._server.child
        self._record.started(self._name, child.pid, child.started, child.output, self._server.port)
        self._record.write()
