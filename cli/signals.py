"""SIGTERM and SIGINT end every command in order: it stops what it started, and its exit status names the signal.

Servers with handlers of their own (a worker's Faust, a uvicorn in the main thread) replace these.
"""

import atexit
import gc
import signal
import threading
from types import FrameType
from typing import NoReturn


def stop_on_signals() -> None:
    """Let SIGTERM and SIGHUP unwind the program as Ctrl-C does.

    Ctrl-C works also where a shell started the program in the background, which turns SIGINT off. A program under
    `nohup` keeps ignoring SIGHUP. Outside the main thread, where Python sets no handlers, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    atexit.register(gc.freeze)  # the interpreter's last search for garbage took seconds of every stop
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _unwind)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _unwind)


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    """End in order; asked again meanwhile, the program does not leave its end half done."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)
