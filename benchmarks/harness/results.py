"""The results as they come in: printed, kept in `latest.json` after every run, and reported at the end."""

import json
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contenders.registry import BENCH_PYTHON, CHECKOUT
from benchmarks.harness.figures import Run, ratios, summary
from benchmarks.harness.knobs import Knobs
from benchmarks.harness.machine import description
from benchmarks.harness.report import markdown, table
from benchmarks.settle.run import Scale


class Results:
    """All runs so far."""

    def __init__(self, folder: Path, knobs: Knobs) -> None:
        self._folder, self._knobs = folder, knobs
        self._machine = description()
        self._began = datetime.now(UTC).isoformat(timespec="seconds")
        self._runs: list[Run] = []
        self._scale: Scale | None = None

    def add(self, run: Run) -> None:
        """Add a run: print its line, and rewrite the file."""
        self._runs.append(run)
        print(
            f"round {run.round}  {run.contender:18} {run.a_second:9,.0f} records/s  {run.a_cpu_second:9,.0f} per CPU-s"
            f"  {run.peak_bytes / (1 << 20):6,.0f} MiB   {run.checked}",
            flush=True,
        )
        self._write()

    def add_scale(self, scale: Scale) -> None:
        """Settle at the size of a firm."""
        self._scale = scale
        self._write()

    def _summaries(self) -> dict[str, dict[str, float | None]]:
        names = dict.fromkeys(run.contender for run in self._runs)
        return {name: summary([run for run in self._runs if run.contender == name]) for name in names}

    def as_json(self) -> dict[str, object]:
        """The content of latest.json."""
        summaries = self._summaries()
        return {
            "began": self._began,
            "machine": self._machine,
            "knobs": asdict(self._knobs),
            "ratios": ratios(summaries),
            "medians": summaries,
            "settle_at_scale": None if self._scale is None else self._scale.as_json(),
            "runs": [run.as_json() for run in self._runs],
        }

    def _write(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        results = self.as_json()
        (self._folder / "latest.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (self._folder / "report.md").write_text(markdown(results), encoding="utf-8")

    def report(self) -> None:
        """The table for who watches, and the plot."""
        results = self.as_json()
        print("\n".join(["", *table(results), ""]))
        print("\n".join(f"{name} {value:.2f}" for name, value in ratios(self._summaries()).items()), flush=True)
        if BENCH_PYTHON.exists():
            plot = [str(BENCH_PYTHON), "-m", "benchmarks.harness.plot", str(self._folder)]
            subprocess.run(plot, cwd=CHECKOUT, check=True, timeout=120)
