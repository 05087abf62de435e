"""Ensures one supervising program per home folder by a lock, and ends leftovers of an earlier one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from common.private import make_private
from devstack.errors import StackError
from devstack.leftover import end_orphans
from settings import Settings

_LOCK, _USERS = "stack.lock", "stack.users"
_READY = "ready"
_OURS = ("kafka", "postgres", "state", "logs", "run", "demo", "ports.json", "schema-ids.json", _LOCK, _USERS)
_ORPHAN_SECONDS = 20.0
_WRITING_SECONDS = 0.3  # between taking the lock and writing its pid


class HomeTaken(StackError):
    """Another program runs on this home; the text names its process."""

    def __init__(self, home: Path, holder: str) -> None:
        super().__init__(
            f"A stack already runs on {home} (process {holder}). Stop it, or set HOURSTREAM_HOME to another folder."
        )
        self.holder = holder


def take_home(home: Path) -> IO[str]:
    """Lock `home` for this process and make everything below it private. Raises HomeTaken at once where it is taken."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (home / _LOCK).open("a+", encoding="ascii")
    for pause in (0.05, 0.05, 0.0):  # a process that only reads holds it for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            time.sleep(pause)
    else:
        with lock:
            raise HomeTaken(home, _holder(lock))
    with contextlib.suppress(OSError):  # a full disk: the lock holds without its text
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
    for path in [home] if not _holds_more(home) else [home / name for name in _OURS]:
        make_private(path)
    return lock


def mark_ready(lock: IO[str]) -> None:
    """Note in the lock that the servers of this home answer: from now on other commands may join."""
    with contextlib.suppress(OSError):  # a full disk: joiners wait, and say so
        lock.write(f"\n{_READY}")
        lock.flush()


def is_ready(home: Path) -> bool:
    """Whether the holder of `home` has marked it ready."""
    try:
        return (home / _LOCK).read_text(encoding="ascii").endswith(_READY)
    except OSError:
        return False


def is_taken(home: Path) -> bool:
    """Whether a program holds `home` now."""
    try:
        refuse_taken(home)
    except HomeTaken:
        return True
    return False


def _holds_more(home: Path) -> bool:
    """Whether the folder clearly holds other things than a stack: then only the stack's own files are made private."""
    shared = (Path("/"), Path.home(), Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))  # noqa: S108
    return home.resolve() in {path.resolve() for path in shared}


def refuse_taken(home: Path) -> None:
    """Raise HomeTaken where a program holds `home` now; changes nothing."""
    try:
        lock = (home / _LOCK).open("r+", encoding="ascii")
    except OSError:
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            raise HomeTaken(home, _holder(lock)) from None


def home_of(command: str, settings: Settings) -> Path | None:
    """The home that a supervising command (`up`, `run`, `demo`) holds; None for one it makes for itself."""
    if command == "demo":
        return settings.home / "demo"
    return None if command == "run" and settings.broker is None else settings.home


def leave_home(lock: IO[str]) -> None:
    """Give the home up. Raises nothing: a full disk does not stop an orderly end."""
    with contextlib.suppress(OSError):
        lock.truncate(0)
    with contextlib.suppress(OSError):
        lock.close()


@contextlib.contextmanager
def using_home(home: Path) -> Iterator[None]:
    """During the block, a command that joined a stack uses it: `wait_for_users` of its holder waits."""
    with (home / _USERS).open("a", encoding="ascii") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield


def wait_for_users(home: Path, seconds: float) -> bool:
    """Wait until no command uses a stack that its holder is about to stop; whether that came about in time."""
    deadline = time.monotonic() + seconds
    with (home / _USERS).open("a", encoding="ascii") as users:
        while True:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.1)
            else:
                return True


@contextlib.contextmanager
def hold_home(home: Path) -> Iterator[None]:
    """Keep every stack from starting on `home`. Raises HomeTaken where one runs."""
    lock = take_home(home)
    try:
        yield
    finally:
        leave_home(lock)


def empty_home(home: Path) -> None:
    """Remove everything below `home`, and end processes that a killed run left there.

    Raises HomeTaken if a stack runs on it.
    """
    with hold_home(home):
        for folder in (home / "run", home / "kafka", home / "postgres"):
            end_orphans(folder, _ORPHAN_SECONDS)
        for path in home.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in (_LOCK, _USERS):
                path.unlink(missing_ok=True)


def _holder(lock: IO[str]) -> str:
    deadline = time.monotonic() + _WRITING_SECONDS
    while True:
        lock.seek(0)
        holder = lock.read().strip().partition("\n")[0]
        if holder or time.monotonic() > deadline:
            return holder or "unknown"
        time.sleep(0.02)
