"""`make soak-plane-faults`: CYCLES faults over a continuous load (200), whose last line is `lost 0, doubled 0, ...`.

FAULTS_SEED repeats the faults and the load of another run. Of a run that found something, everything is kept.
"""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.cycles import soak

SESSION_SECONDS = 6.0


def main() -> int:
    """0 when nothing is lost and nothing doubled."""
    cycles = int(os.environ.get("CYCLES", "200"))
    seed = int(os.environ.get("FAULTS_SEED", secrets.randbelow(2**32)))
    home = Path(tempfile.mkdtemp(prefix="hourstream-soak-"))
    signal.signal(
        signal.SIGTERM, lambda number, _: sys.exit(128 + number)
    )  # so that workers and disks are cleared away
    print(f"CYCLES={cycles} FAULTS_SEED={seed} in {home}", flush=True)
    soaked = soak(home, cycles, seed, SESSION_SECONDS)
    if soaked.clean:
        shutil.rmtree(home)
    print(soaked.report(), flush=True)
    return 0 if soaked.clean else 1


if __name__ == "__main__":
    sys.exit(main())
