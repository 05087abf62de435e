"""Measures the cost of an entry in every process, from the source's row to the books, and a firm's month end.

    python -m benchmarks.month_end [ROWS]

Writes `results/month_end.json`; docs/scale.md interprets it.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.harness.machine import description
from benchmarks.month_end.firms import FIRMS, Needs, needs
from benchmarks.month_end.measuring import Unit, unit_costs

ROWS = 60_000
_RESULTS = Path(__file__).parents[1] / "results" / "month_end.json"


def by_process(unit: Unit, firms: Sequence[Needs]) -> Table:
    """A row a process."""
    table = Table("process", "us a row", *(f"cores, {each.firm.consultants:,} consultants" for each in firms))
    for name, cost in sorted(unit.microseconds.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{cost:.0f}", *(f"{each.cores[name]:.2f}" for each in firms))
    table.add_row("in all", f"{sum(unit.microseconds.values()):.0f}", *(f"{each.cores_in_all:.2f}" for each in firms))
    return table


def by_firm(firms: Sequence[Needs]) -> Table:
    """A row a figure."""
    table = Table("", *(f"{each.firm.consultants:,} consultants" for each in firms))
    table.add_row("entries a month", *(f"{each.entries:,}" for each in firms))
    table.add_row("entries a second in the burst", *(f"{each.burst_per_second:,.0f}" for each in firms))
    table.add_row("hours behind after it", *(str(each.behind or "nobody") for each in firms))
    table.add_row("core-hours to restate it", *(f"{each.core_hours_to_restate_a_month:.1f}" for each in firms))
    for store in firms[0].gigabytes_a_year:
        table.add_row(f"{store}, GB a year", *(f"{each.gigabytes_a_year[store]:,.0f}" for each in firms))
    return table


def main() -> None:
    """Measure, and work out the firms."""
    console, count = Console(), int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="hourstream-month-end-") as folder:
        unit = unit_costs(Path(folder), count, console)
    firms = [needs(unit, firm) for firm in FIRMS]
    console.print(by_process(unit, firms), by_firm(firms))
    found = {"machine": description(), "unit": asdict(unit), "firms": [asdict(each) for each in firms]}
    _RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
