"""Compiles the Kafka Streams job when its sources have changed, and gives the command that runs it.

Avro's own compiler first writes the record classes of the two contracts, then `javac` compiles everything.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from devstack.jars import LOCK, classpath
from devstack.java import find_java
from settings import CHECKOUT, Settings

_HERE = Path(__file__).parent
_SOURCES = _HERE / "java"
_STREAMS_LOCK = _HERE / "streams.lock"
_CONTRACTS = [CHECKOUT / "benchmarks" / "enrichment" / name for name in ("entry.avsc", "billed.avsc")]
_HEAP = "512m"


class NoCompiler(RuntimeError):
    """There is a JRE but no JDK of its version beside it."""


def command(guarantee: str) -> Sequence[str]:
    """The JVM's command line for a processing guarantee of Kafka Streams; compiles first where it must."""
    jars = _jars()
    classes = _compiled(jars)
    options = os.environ.get("BENCH_JVM", "-XX:+UseSerialGC").split()
    logging = f"-Dlog4j2.configurationFile={(_HERE / 'log4j2.properties').as_uri()}"
    tuning = [f"-Dbench.{name}={value}" for name, value in _tuning(guarantee).items()]
    heap = [f"-Xms{_HEAP}", f"-Xmx{_HEAP}", *options]
    return [str(find_java()), "-cp", _path([classes, *jars]), *heap, logging, *tuning, "bench.streams.EnrichmentJob"]


def _tuning(guarantee: str) -> dict[str, str]:
    """The settings of a run; `BENCH_STREAMS=name=value,...` tries others.

    Avro's specific records, as its users write them; `codec=direct` is one by hand, which did about as well on a busy
    machine. At least once keeps Kafka Streams' own commit interval.
    """
    commit = "30000" if guarantee == "at_least_once" else "100"
    chosen = {"guarantee": guarantee, "threads": "1", "commit": commit, "codec": "specific", "caching": "false"}
    tried = dict(pair.split("=") for pair in os.environ.get("BENCH_STREAMS", "").split(",") if pair)
    return chosen | tried


def _jars() -> list[Path]:
    cache = Settings.load().cache_dir
    return [jar for lock in (LOCK, _STREAMS_LOCK) for jar in classpath(cache, _tell, lock)]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _path(entries: Sequence[Path]) -> str:
    return os.pathsep.join(map(str, entries))


def _compiled(jars: Sequence[Path]) -> Path:
    """The folder of the classes, named by what they were made of."""
    sources = sorted(_SOURCES.rglob("*.java"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in (*sources, *_CONTRACTS, _STREAMS_LOCK)))
    classes = CHECKOUT / ".hourstream" / "bench-classes" / digest.hexdigest()[:16]
    if classes.exists():
        return classes
    fresh = classes.with_suffix(".part")
    shutil.rmtree(fresh, ignore_errors=True)
    written = fresh / "generated"
    written.mkdir(parents=True)
    compiler = find_java().with_name("javac")
    if not compiler.exists() and shutil.which("javac") is None:
        raise NoCompiler("the Kafka Streams contender needs a JDK: `javac` is not there")
    javac = str(compiler if compiler.exists() else shutil.which("javac"))
    generator = _SOURCES / "GenerateRecords.java"
    _run([str(find_java()), "-cp", _path(jars), str(generator), str(written), *map(str, _CONTRACTS)])
    inputs = [*written.rglob("*.java"), *(file for file in sources if file != generator)]
    _run([javac, "-nowarn", "-proc:none", "-cp", _path(jars), "-d", str(fresh), *map(str, inputs)])
    fresh.rename(classes)
    return classes


def _run(arguments: Sequence[str]) -> None:
    done = subprocess.run(list(arguments), capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{Path(arguments[0]).name} failed:\n{done.stdout}{done.stderr}")
