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
    struck = Path(_FOLDER, f"{name}.{os.getpid()}")
    try:
        Path(_FOLDER, name).rename(struck)
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.Signals[struck.read_text(encoding="ascii")])
