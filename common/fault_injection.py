"""Named points at which a test may strike this process with a signal, to prove what survives it.

A file in the folder `HOURSTREAM_FAULTS`, named like a point and holding the name of a signal, arms that point. The
first process to pass it renames the file to `<point>.<pid>`, so that it strikes once and leaves its proof, and sends
itself the signal. Without the variable a point costs one comparison.
"""

import os
import signal
from pathlib import Path

_FOLDER = os.environ.get("HOURSTREAM_FAULTS", "")


def fault_point(name: str) -> None:
    """Pass the point `name`; where it is armed, the signal comes here."""
    if not _FOLDER:
        return
    armed = Path(_FOLDER, name)
    try:
        sent = armed.read_text(encoding="ascii")  # before the proof is there, which a test may remove at once
        armed.rename(f"{armed}.{os.getpid()}")
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.Signals[sent])
