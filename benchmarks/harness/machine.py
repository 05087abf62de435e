"""The machine and the versions that the figures belong to, without its name and paths."""

import os
import platform
import subprocess
from importlib.metadata import version

import psutil

from devstack.jars import locked
from devstack.java import find_java


def description() -> dict[str, object]:
    """Cores, memory, processor, and the versions of everything that was measured."""
    kafka = next(jar.version for jar in locked() if jar.artifact == "kafka-clients")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30), 1),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "java": _java(),
        "kafka": kafka,
        "kafka_streams": kafka,
        "packages": {name: version(name) for name in ("confluent-kafka", "faust-streaming", "rocksdict")},
        "load_average_at_start": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - no file of ours
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _java() -> str:
    told = subprocess.run([str(find_java()), "-version"], capture_output=True, text=True, check=True, timeout=60)
    return (told.stderr + told.stdout).splitlines()[0]
