"""Draws `report.svg` from `latest.json`. Runs in the benchmark's own environment, which has matplotlib.

.venv-bench/bin/python -m benchmarks.harness.plot RESULTS_FOLDER
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

_OURS, _PEERS = "#1b6ca8", "#9aa5b1"


def draw(folder: Path) -> None:
    """Bars of the medians, a dot a run."""
    results = json.loads((folder / "latest.json").read_text(encoding="utf-8"))
    names = list(results["medians"])
    runs = {name: [run for run in results["runs"] if run["contender"] == name] for name in names}
    mpl.rcParams["svg.hashsalt"] = "hourstream"
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.55 * len(names) + 1.2), sharey=True, layout="constrained")
    for axis, figure_name, title in (
        (axes[0], "records_per_cpu_second", "records per CPU-second of the worker"),
        (axes[1], "records_per_second", "records per second"),
    ):
        medians = [results["medians"][name][figure_name] for name in names]
        colors = [_OURS if name in ("hourstream", "settle") else _PEERS for name in names]
        axis.barh(names, medians, color=colors, height=0.6)
        for at, name in enumerate(names):
            axis.plot([run[figure_name] for run in runs[name]], [at] * len(runs[name]), "k.", markersize=3)
            axis.annotate(f"{medians[at]:,.0f}", (medians[at], at), (6, 0), textcoords="offset points", va="center")
        axis.set_title(title, fontsize=10)
        axis.margins(x=0.2)
        axis.spines[["top", "right"]].set_visible(False)
        axis.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
        axis.tick_params(labelsize=8)
    axes[0].invert_yaxis()
    figure.savefig(folder / "report.svg", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
