"""Kafka's jars from Maven Central by `jgo`, each checked by its digest, cached so that a second start is offline.

`kafka.lock` lists every jar (coordinates and SHA-256). A resolution would read some two hundred POMs on every machine
and trust their present content; the list is fetched as it is instead. To move to another Kafka, run `python -m
devstack.jars VERSION`: it resolves and writes a new list. Mirrors are jgo's own: a `central = ADDRESS` under
`[repositories]` in its configuration file.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.errors import StackError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("kafka.lock")
# The one library Kafka's own dependencies leave out: without a binding of slf4j it logs nothing.
_LOGGING = ("org.apache.logging.log4j", "log4j-slf4j-impl")
_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar: Maven coordinates and the digest of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @classmethod
    def parse(cls, line: str) -> Jar:
        coordinates, sha256 = line.split()
        group, artifact, version = coordinates.split(":")
        return cls(group, artifact, version, sha256)

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version} {self.sha256}"


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars of a lock, in its order."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return [Jar.parse(line) for line in lines if line and not line.startswith("#")]


def classpath(cache: Path, progress: Callable[[str], None], lock: Path = LOCK) -> list[Path]:
    """Paths of a lock's jars (Kafka's own by default); missing ones are downloaded into `cache`.

    A file beside the jars, named by the lock's digest, records that they were checked; with it neither the network nor
    jgo is used. Raises `StackError` if a jar cannot be downloaded or differs from the lock.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    resolved = cache / f"{lock.stem}-{digest}.classpath"
    if resolved.exists():
        jars = [cache / line for line in resolved.read_text(encoding="utf-8").splitlines()]
        if all(jar.exists() for jar in jars):
            return jars
    wanted = locked(lock)
    progress(f"Downloading {lock.stem.capitalize()} ({len(wanted)} jars, this once) ...")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        context = maven(cache / "maven")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            jars = list(pool.map(lambda jar: _fetch(context, jar), wanted))
        written = resolved.with_suffix(".part")
        written.write_text("\n".join(str(jar.relative_to(cache)) for jar in jars), encoding="utf-8")
        written.replace(resolved)
    except OSError as error:
        raise StackError(
            f"Kafka's jars cannot be had: {error}. The first start needs Maven Central and a folder it may write to "
            f"({cache}; HOURSTREAM_CACHE names another). Or point HOURSTREAM_BROKER to a running Kafka."
        ) from error
    return jars


def maven(repository: Path) -> MavenContext:
    """Maven Central, or the mirror that jgo's own configuration names, kept in `repository`."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    mirrors: dict[str, str] = GlobalSettings.load().repositories
    return MavenContext(repo_cache=repository, remote_repos={"central": MAVEN_CENTRAL_URL, **mirrors}, timeout=60)


def _fetch(context: MavenContext, jar: Jar) -> Path:
    path = _download(context, jar.group, jar.artifact, jar.version)
    if sha256_of(path) != jar.sha256:
        path.unlink()  # cut short by an earlier kill, or altered: once more from the start
        path = _download(context, jar.group, jar.artifact, jar.version)
    if sha256_of(path) != jar.sha256:
        path.unlink()
        raise StackError(f"{path.name} from Maven is not the file of its lock; it was removed")
    return path


def _download(context: MavenContext, group: str, artifact: str, version: str) -> Path:
    try:
        return Path(context.project(group, artifact).at_version(version).artifact().resolve())
    except RuntimeError as error:  # jgo's own «could not be downloaded»
        raise OSError(str(error)) from error


def sha256_of(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def relock(version: str) -> None:
    """Resolve `org.apache.kafka:kafka_2.13:<version>` again and write the lock. For a developer, online."""
    import jgo

    artifacts = jgo.resolve(f"org.apache.kafka:kafka_2.13:{version}")
    log4j = next(a.version for a in artifacts if a.artifactId == "log4j-core")
    found = [(str(a.groupId), str(a.artifactId), str(a.version), Path(a.resolve())) for a in artifacts]
    context = maven(found[0][3].parents[5])
    found.append((*_LOGGING, log4j, _download(context, *_LOGGING, log4j)))
    lines = sorted(str(Jar(group, artifact, at, sha256_of(path))) for group, artifact, at, path in found)
    LOCK.write_text("\n".join([f"# Apache Kafka {version}: group:artifact:version sha256", *lines, ""]), "utf-8")


if __name__ == "__main__":
    relock(sys.argv[1])
