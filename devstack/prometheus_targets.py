"""Writes the ports of this machine's workers to a file that Prometheus watches (file_sd).

The supervisor keeps `HOME/run/prometheus/workers.json` current, because a restarted worker may have another port.
"""

import json
from collections.abc import Mapping
from pathlib import Path


def file_of(home: Path) -> Path:
    """The file of targets of the workers under this home."""
    return home / "run" / "prometheus" / "workers.json"


def write_targets(home: Path, ports: Mapping[str, int]) -> None:
    """Tell Prometheus of the workers, by name; at once, or not at all."""
    found = [{"targets": [f"127.0.0.1:{port}"], "labels": {"worker": name}} for name, port in sorted(ports.items())]
    file = file_of(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1), encoding="utf-8")
    part.replace(file)


def targets(home: Path) -> dict[str, str]:
    """The address of each worker, by name; none where none was ever started."""
    file = file_of(home)
    if not file.exists():
        return {}
    return {one["labels"]["worker"]: one["targets"][0] for one in json.loads(file.read_text(encoding="utf-8"))}
