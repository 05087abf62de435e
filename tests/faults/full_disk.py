"""A disk that is full for a while: the tmpfs under a folder is given no more room than it uses, then its own again."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SLACK_KIB = (0, 256, 1024, 4096, 16384)  # what is written between the look and the change


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """During the block nothing more can be written to the tmpfs mounted at `folder`."""
    found = os.statvfs(folder)
    total = found.f_blocks * found.f_frsize // 1024
    _shrink(folder)
    try:
        yield
    finally:
        _resize(folder, total)


def _shrink(folder: Path) -> None:
    for slack in _SLACK_KIB:
        found = os.statvfs(folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize // 1024
        try:
            _resize(folder, used + slack)
        except subprocess.CalledProcessError:  # more is used by now
            continue
        return
    raise OSError(f"{folder} is written to too fast to be filled")


def _resize(folder: Path, kib: int) -> None:
    command = ["mount", "-o", f"remount,size={kib}k", str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)
