"""Apicurio Registry on loopback, in memory: a schema registry for tests and trials.

Its content ends with it. An installation runs one with its own store (docker-compose.yml).
"""

from __future__ import annotations

import shutil
import signal
import tarfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from devstack.child import Child
from devstack.errors import StackError
from devstack.jars import maven, sha256_of
from devstack.java import find_java
from devstack.ports import LOOPBACK, free_port
from settings import Settings

LOCK = Path(__file__).with_name("registry.lock")
_HEAP_MB = 256


class Registry:
    """The embedded registry; its log is under `folder`. Use as a context manager, or `start` and `stop`."""

    def __init__(self, folder: Path, settings: Settings, progress: Callable[[str], None]) -> None:
        self._folder, self._settings, self._progress = folder, settings, progress
        self._child = Child("the registry", folder / "registry.pid", folder / "registry.log")
        self._port = 0  # chosen at the first start, and kept

    @property
    def child(self) -> Child:
        """The registry's process."""
        return self._child

    @property
    def port(self) -> int:
        """Its port, the same after every start."""
        return self._port

    def last_line(self) -> str:
        """The last line of its log."""
        return self._child.last_line()

    @property
    def url(self) -> str:
        """The value for HOURSTREAM_SCHEMA_REGISTRY_URL: its Confluent-compatible API."""
        return f"http://{LOOPBACK}:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        """Start it and wait until it answers. Raises `StackError` with the end of its log."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        jar = program(self._settings.cache_dir, self._progress)
        self._port = self._port or free_port()
        options = (
            f"-Dquarkus.http.host={LOOPBACK}",
            f"-Dquarkus.http.port={self._port}",
            f"-Dhourstream={self._folder}",
        )
        jvm = (str(find_java()), f"-Xmx{_HEAP_MB}m", "-XX:TieredStopAtLevel=1", *options)
        self._child.spawn(
            [*jvm, "-Dapicurio.storage.sql.kind=h2", "-jar", str(jar)],
            cwd=self._folder,
            mark=f"-Dhourstream={self._folder}",
            death_signal=signal.SIGTERM,
        )
        self._wait()

    def stop(self) -> None:
        """Stop it; killed when it takes longer than `stop_seconds`."""
        self._child.stop(signal.SIGTERM, self._settings.stop_seconds)

    def __enter__(self) -> Registry:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + self._settings.start_seconds
        while time.monotonic() < deadline:
            if not self._child.alive:
                raise StackError(f"The embedded registry ended while starting:\n{self._child.last_words()}")
            try:
                with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/health/ready", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise StackError(f"The embedded registry did not answer within {self._settings.start_seconds:g} s")


def program(cache: Path, progress: Callable[[str], None]) -> Path:
    """The program's jar, downloaded and unpacked in `cache` where it is not yet."""
    line = next(line for line in LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    coordinates, digest = line.split()
    group, artifact, version, packaging, classifier = coordinates.split(":")
    home = cache / f"{artifact}-{version}-{digest[:16]}"
    if not home.exists():
        progress("Downloading Apicurio Registry (this once) ...")
        try:
            found = maven(cache / "maven").project(group, artifact).at_version(version)
            archive = Path(found.artifact(classifier=classifier, packaging=packaging).resolve())
        except (OSError, RuntimeError) as error:
            raise StackError(f"Apicurio Registry cannot be had: {error}") from error
        if sha256_of(archive) != digest:
            archive.unlink()
            raise StackError(f"{archive.name} from Maven is not the file of {LOCK.name}; it was removed")
        fresh = home.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        with tarfile.open(archive) as packed:
            packed.extractall(fresh, filter="data")
        fresh.rename(home)
    return home / f"{artifact}-{version}-runner.jar"
