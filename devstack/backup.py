"""Backup and restore of an embedded stack: one file with everything that cannot be rebuilt.

Kafka's log and PostgreSQL's data are copied from disk while nothing runs, so offsets, positions and ids are restored
unchanged. The workers' state is a cache of Kafka's topics and is left out. The last member of the file lists all others
with their SHA-256; a restore that finds any difference leaves no trace.
"""

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from devstack.errors import StackError
from devstack.home import hold_home

_PARTS = ("kafka", "postgres", "ports.json")
_OF_THE_RUN = (".pid", ".log", ".out")  # beside the data, of processes that no longer run
_CONTENTS = "contents.json"
_FORMAT = 1
_BLOCK = 1 << 20


def back_up(home: Path, file: Path) -> int:
    """Write the stack of `home` to `file`, for its owner only (PostgreSQL's password is in it); gives its bytes.

    Raises StackError where a stack runs on that home, where there is none, or where `file` exists.
    """
    if not (home / "kafka").is_dir() or not (home / "postgres").is_dir():
        raise StackError(f"{home} holds no embedded Kafka and PostgreSQL; clusters of your own have backups of theirs")
    part = file.with_name(f"{file.name}.part")
    with hold_home(home), _new_file(file, part) as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
            sums = {name: _add(archive, home / name, name) for name in _files(home)}
            contents = json.dumps({"format": _FORMAT, "sha256": sums}, indent=1).encode()
            member = tarfile.TarInfo(_CONTENTS)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
        out.flush()
        os.fsync(out.fileno())
        part.rename(file)
    return file.stat().st_size


def restore(file: Path, home: Path) -> int:
    """Make the stack in `file` the one of `home`, which must hold none; gives the number of files.

    Raises StackError where the home is taken, or the file is not a whole backup; nothing is left of it then.
    """
    if home.exists() and any(home.iterdir()):
        raise StackError(f"{home} is not empty; restore into a new folder, or move that one away first")
    part = home.with_name(f"{home.name}.restoring")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    try:
        found = _unpack(file, part)
        sums = _contents(part, file)
        for name in sorted({*sums, *found}):
            if sums.get(name) != found.get(name):
                raise StackError(f"{file}: {name} is not what was backed up; use another backup")
        if home.exists():
            home.rmdir()
        part.rename(home)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return len(sums)


@contextmanager
def _new_file(file: Path, part: Path) -> Iterator[IO[bytes]]:
    if file.exists():
        raise StackError(f"{file} exists; choose another name")
    out = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    try:
        yield out
    finally:
        out.close()
        part.unlink(missing_ok=True)


def _files(home: Path) -> Iterator[str]:
    """Names of everything to keep, folders included (PostgreSQL needs its empty ones), below `home`."""
    for part in _PARTS:
        top = home / part
        for path in [top, *sorted(top.rglob("*"))] if top.is_dir() else [top] if top.exists() else []:
            if (path.is_dir() or path.is_file()) and not (path.parent == top and path.suffix in _OF_THE_RUN):
                yield str(path.relative_to(home))


def _add(archive: tarfile.TarFile, path: Path, name: str) -> str:
    member = archive.gettarinfo(str(path), name)
    if not member.isfile():
        archive.addfile(member)
        return ""
    with path.open("rb") as content:
        digest = _sha256(content)
        content.seek(0)
        archive.addfile(member, content)
    return digest


def _unpack(file: Path, target: Path) -> dict[str, str]:
    """{name: SHA-256, "" for a folder} of the members of the file, except its list of contents."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in archive:
                if not (member.isfile() or member.isdir()):
                    raise StackError(f"{file}: {member.name} is neither a file nor a folder; this is no backup")
                archive.extract(member, target, numeric_owner=True, filter="tar")
                if member.isdir():
                    found[member.name] = ""
                else:
                    with (target / member.name).open("rb") as content:
                        found[member.name] = _sha256(content)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise StackError(f"{file} is not a whole backup: {error}") from error
    found.pop(_CONTENTS, None)
    return found


def _contents(folder: Path, file: Path) -> dict[str, str]:
    try:
        listed = json.loads((folder / _CONTENTS).read_bytes())
        (folder / _CONTENTS).unlink()
        if listed["format"] != _FORMAT:
            raise StackError(f"{file} is of format {listed['format']}; this version reads {_FORMAT}")
        return dict(listed["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{file} is not a whole backup: it has no list of its contents") from error


def _sha256(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := content.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()
