"""The environment of Tryton: separate, so that its dependencies and ours never conflict.

`make tryton` makes it, or `hourstream demo --erp tryton` when it first needs it. `requirements-tryton.lock` pins the
packages by digest; our module for Tryton is installed beside them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable

from devstack.errors import StackError
from settings import CHECKOUT

PLACE = CHECKOUT / ".venv-tryton"
LOCK = CHECKOUT / "requirements-tryton.lock"
MODULE = CHECKOUT / "ops" / "tryton"
_READY = PLACE / ".ready"


def program(name: str) -> str:
    """A program of the environment, such as `python` or `trytond`."""
    return str(PLACE / "bin" / name)


def is_ready() -> bool:
    """Whether it exists and matches this lock."""
    return _READY.exists() and _READY.read_text(encoding="ascii") == _digest()


def make(progress: Callable[[str], None]) -> None:
    """Make it, or make it again if the lock has changed; nothing if it is ready. Raises `StackError`."""
    if is_ready():
        return
    progress("Making Tryton's environment (this once, about 10 s) ...")
    pip = [program("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(PLACE)],
        [*pip, "--require-hashes", "-r", str(LOCK)],
        [*pip, "--no-deps", "--no-build-isolation", "-e", str(MODULE)],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"Tryton's environment {PLACE} cannot be made:\n{(done.stdout + done.stderr)[-2000:]}")
    _READY.write_text(_digest(), encoding="ascii")


def _digest() -> str:
    parts = (LOCK.read_bytes(), (MODULE / "pyproject.toml").read_bytes(), sys.version.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
