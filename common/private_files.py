"""Files with keys and secrets: read only where others cannot read them too."""

import errno
import os
import stat
from pathlib import Path


def read_private_file(path: Path) -> bytes:
    """The bytes of a file with a secret. Raises PermissionError for one that other users may read or change; OSError.

    Its owner alone may have rights to it. Where the owner is another user than this process (a secret that Kubernetes
    or an administrator puts there for a group), the group may read it too.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if (why := _open_to_others(status)) is not None:
            raise PermissionError(errno.EACCES, why, str(path))
        return file.read()


def open_to_others(path: Path) -> str | None:
    """Why a file with a secret should not be as it is; None where other users cannot read or change it."""
    return _open_to_others(path.stat())


def _open_to_others(status: os.stat_result) -> str | None:
    is_own = status.st_uid == os.geteuid()
    if not stat.S_ISREG(status.st_mode) or not status.st_mode & (0o077 if is_own else 0o037):
        return None
    return f"it is open to other users ({stat.filemode(status.st_mode)}), chmod 600 it"
