"""Local state that cannot be used: classified by its cause, and moved aside where it is only a damaged copy.

Everything local can be made again from the changelog. So what cannot be read (a torn file, a missing one, another
format, a file in a folder's place) is moved aside and restored. What another remedy helps against (a full disk, a lack
of permission, another process that holds it) is left as it is, and said.
"""

import errno
import logging
import os
import shutil
import time
from pathlib import Path

log = logging.getLogger("hourstream.plane")
_ENVIRONMENT = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
    errno.EAGAIN, errno.ENOLCK,
)  # fmt: skip
_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
_ASIDE = ".unreadable-"


class StoreFailed(RuntimeError):
    """The local store cannot be read or written: a fault of the disk, never of a record."""


class StoreUnreadable(StoreFailed):
    """What the store holds is damaged; the changelog has it whole."""


def failure(error: Exception, path: Path) -> StoreFailed:
    """What an error of RocksDB or of the file system says of the store at `path`."""
    said = str(error)
    if isinstance(error, StoreFailed):
        return error
    if any(os.strerror(number) in said for number in _PERMISSION):
        return StoreFailed(f"user {os.geteuid()} must be able to read and write {path}, and may not: {said}")
    if "LOCK" in said and any(os.strerror(number) in said for number in (errno.EAGAIN, errno.ENOLCK)):
        return StoreFailed(f"another process works on {path}: {said}")
    if any(os.strerror(number) in said for number in _ENVIRONMENT):
        return StoreFailed(f"{path} cannot be used: {said}")
    return StoreUnreadable(f"{path} cannot be read: {said}")


def move_aside(path: Path) -> Path:
    """Rename what is at `path`, for a person to look at, and delete what was moved aside from there before."""
    for former in path.parent.glob(f"{path.name}{_ASIDE}*"):
        shutil.rmtree(former, ignore_errors=True) if former.is_dir() else former.unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}{_ASIDE}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    path.rename(aside)
    return aside


def state_folder(path: Path) -> Path:
    """Make the folder `path`; what is there and is no folder is moved aside. Raises StoreFailed."""
    try:
        if path.exists() and not path.is_dir():
            log.error("%s is no folder: it was moved to %s", path, move_aside(path))
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(error, path) from error
    return path
