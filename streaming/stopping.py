"""SIGTERM, SIGINT and SIGHUP end a worker within bounded time, whatever its event loop is doing.

A thread of its own takes the signals, from the process's first moment on: as the first process of a container it would
otherwise be deaf to them until Faust listens, and with a blocked loop for good. Leaving late loses nothing, because
what is not committed has not happened.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

log = logging.getLogger("hourstream.plane")
GRACE_SECONDS = 10.0  # for what is under way to be committed
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """Calls `leave` at the first signal, and ends the process (0) after the grace or at the second one."""

    def __init__(self) -> None:
        self.leave: Callable[[], object] = lambda: os._exit(0)
        self._listening = False
        self._signals: list[signal.Signals] = []

    def listen(self) -> None:
        """Take the signals from here on. Call it from the main thread, before others start: they inherit the mask."""
        if self._listening:
            return
        self._listening = True
        # Whoever ignores SIGHUP (nohup) wants it ignored; blocked, it would be waited for all the same.
        self._signals = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def _wait(self) -> None:
        number = signal.sigwait(self._signals)
        log.info("told to stop by %s", signal.Signals(number).name)
        threading.Thread(target=self._leave, name="leaving", daemon=True).start()
        again = signal.sigtimedwait(self._signals, GRACE_SECONDS)
        why = "told so again" if again is not None else f"{GRACE_SECONDS:g} s have passed"
        log.warning("stopping at once, %s: what is under way is not committed", why)
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(0)

    def _leave(self) -> None:
        self.leave()


STOP_SIGNALS = StopSignals()
