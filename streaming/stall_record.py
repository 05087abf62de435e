"""How often a worker ended because it stalled, and when last: kept beside its state, because the process is gone."""

import contextlib
import json
import time
from pathlib import Path
from typing import NamedTuple


class Stalls(NamedTuple):
    """How many there were; `last` is in seconds since the epoch, 0 where it never happened."""

    number: int
    last: float


def read_stalls(folder: Path) -> Stalls:
    """What is recorded in the folder of a worker's state; nothing where that cannot be read."""
    try:
        number, last = json.loads((folder / "stalls.json").read_text(encoding="ascii"))
        return Stalls(int(number), float(last))
    except (OSError, ValueError, TypeError):
        return Stalls(0, 0.0)


def record_stall(folder: Path) -> None:
    """Count one more, now."""
    with contextlib.suppress(OSError):
        part = folder / "stalls.part"
        part.write_text(json.dumps([read_stalls(folder).number + 1, time.time()]), encoding="ascii")
        part.replace(folder / "stalls.json")
