"""`make bench`: every contender on the same job, side by side, round after round.

    python -m benchmarks

Knobs: `benchmarks/harness/knobs.py`. Writes benchmarks/results/latest.json, report.md and report.svg.
"""

from benchmarks.harness.bench import main

main()
