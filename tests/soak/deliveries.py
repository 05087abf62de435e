"""`make soak-sinks`: CYCLES cycles of bad weather over deliveries (50), then a slow target beside a busy stream.

The line `lost 0, doubled 0, wrong 0, ...` sums up the cycles, the last line the slow target. FAULTS_SEED repeats the
weather of another run. Of a run that found something, everything is kept.
"""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.deliveries import soak
from tests.faults.slow_target import beside

OUTAGE_SECONDS = 120.0


def main() -> int:
    """0 when every charge is posted exactly once and the rate was held."""
    cycles = int(os.environ.get("CYCLES", "50"))
    seed = int(os.environ.get("FAULTS_SEED", secrets.randbelow(2**32)))
    home = Path(tempfile.mkdtemp(prefix="hourstream-soak-"))
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that workers and servers are ended
    print(f"CYCLES={cycles} FAULTS_SEED={seed} in {home}", flush=True)
    (home / "weather").mkdir()
    delivered = soak(home / "weather", cycles, seed, OUTAGE_SECONDS)
    print(delivered.report(), flush=True)
    (home / "slow").mkdir()
    compared = beside(home / "slow", seconds=30)
    print(compared.report(), flush=True)
    if delivered.clean and compared.held:
        shutil.rmtree(home)
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
