"""Writes ops/grafana/*.json: `python -m ops.grafana`."""

from pathlib import Path

from ops.grafana.dashboards import DASHBOARDS

FOLDER = Path(__file__).parent


def files() -> dict[Path, str]:
    """Each file and its content."""
    return {FOLDER / f"{each.uid}.json": each.json() for each in DASHBOARDS}


if __name__ == "__main__":
    for file, content in files().items():
        file.write_text(content, encoding="utf-8")
