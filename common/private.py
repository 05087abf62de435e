"""Files that only the owner may read: keys, secrets, and everything below HOURSTREAM_HOME.

Every reader of a key or a secret file uses `read_secret` or, where a library opens the file itself, `refuse_shared`.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path

UMASK = 0o077
_OTHERS = 0o077  # permission bits of the group and of all others
_NOT_GROUP_READ = 0o037  # the same without the group's right to read


class SharedFile(PermissionError):
    """Others can read a file of a key or a secret; the text names the remedy."""


def read_secret(path: Path) -> bytes:
    """The content of a key or secret file. Raises Shared where others may read it, OSError where it cannot be read."""
    with path.open("rb") as file:  # the mode of the opened file, not of what the path names a moment later
        _refuse(path, os.fstat(file.fileno()))
        return file.read()


def refuse_shared(path: Path) -> None:
    """Raise Shared where others than the owner may read or write the file.

    As with PostgreSQL's keys, a file that root owns and another user reads may be readable by a group: that is how a
    cluster mounts secrets.
    """
    _refuse(path, path.stat())


def _refuse(path: Path, found: os.stat_result) -> None:
    mounted = found.st_uid == 0 and os.geteuid() != 0
    shared = found.st_mode & (_NOT_GROUP_READ if mounted else _OTHERS)
    if shared:
        mode = stat.S_IMODE(found.st_mode)
        raise SharedFile(errno.EACCES, f"others may read this secret (mode {mode:04o}); run chmod 600 on it", str(path))


def make_private(folder: Path) -> None:
    """Remove the rights of group and others from `folder` and everything below it; links are not followed.

    Files that another process removes meanwhile, and files of other owners, are skipped.
    """
    _narrow(folder)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _narrow(Path(place, name))


def _narrow(path: Path) -> None:
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
