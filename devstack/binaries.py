"""PostgreSQL's programs from the `pgserver` wheel, copied to a place that their user can reach."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from devstack.errors import StackError


def postgres_programs(*, for_others: bool) -> Path:
    """The folder of `initdb` and `postgres`; `for_others`: one that every user can enter. Raises `StackError`.

    Under root the server runs as another user, who cannot enter an environment below root's own home. Then the programs
    are copied once to a temporary folder that root owns, so that no private folder must be opened.
    """
    wheel = importlib.util.find_spec("pgserver")
    if wheel is None or wheel.origin is None:
        raise StackError(
            f"The pgserver package is missing: `{Path(sys.executable).name} -m pip install pgserver`, "
            "or point HOURSTREAM_POSTGRES_URL to a running PostgreSQL."
        )
    package = Path(wheel.origin).parent
    programs = package / "pginstall" / "bin"
    if not for_others or (open_to_all(programs) and _readable_by_all(programs / "postgres")):
        return programs
    return _copied(package) / package.name / "pginstall" / "bin"


def open_to_all(folder: Path) -> bool:
    """Whether every user may enter this folder and all above it."""
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


def _readable_by_all(file: Path) -> bool:
    return file.stat().st_mode & 0o005 == 0o005


def _copied(package: Path) -> Path:
    """A copy of the wheel every user can read and only we can write, made whole or not at all."""
    program = package / "pginstall" / "bin" / "postgres"
    print_of_it = hashlib.sha256(f"{program} {program.stat().st_mtime_ns} {program.stat().st_size}".encode())
    place = _open_temporary_folder() / f"hourstream-postgres-{print_of_it.hexdigest()[:16]}"
    if not place.exists():
        fresh = Path(tempfile.mkdtemp(prefix="hourstream-postgres-", dir=place.parent))
        for part in (package, package.with_name("pgserver.libs")):
            if part.exists():
                shutil.copytree(part, fresh / part.name, symlinks=True, ignore=shutil.ignore_patterns("*.py", "*.pyc"))
        _open(fresh)
        try:
            fresh.rename(place)
        except OSError:  # another start was quicker
            shutil.rmtree(fresh)
    kept = place.lstat()
    if kept.st_uid != os.geteuid() or not stat.S_ISDIR(kept.st_mode) or kept.st_mode & 0o022:
        raise StackError(f"{place} is not ours, so the programs in it cannot be trusted: remove it")
    return place


def _open_temporary_folder() -> Path:
    places = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")]  # noqa: S108 - owner and mode are checked
    for place in places:
        if place.is_dir() and open_to_all(place):
            return place
    raise StackError("PostgreSQL cannot run as root, and no temporary folder is open to another user: set TMPDIR")


def _open(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
