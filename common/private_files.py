"""Files that only their owner and its group may read: keys, and what is kept beside them."""

import os
import stat
from pathlib import Path


class ReadableByOthers(RuntimeError):
    """A file of a secret that anybody on the machine can read; the text says what to do."""


def read_private_file(path: Path) -> bytes:
    """The content of a file of a secret. Raises ReadableByOthers, OSError."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ReadableByOthers(f"{path} can be read by others (mode {mode:04o}): chmod 600 {path}")
    return path.read_bytes()


def write_private_file(path: Path, content: bytes) -> None:
    """Replace a file at once, readable by its owner alone. Raises OSError; the file is then as it was."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
