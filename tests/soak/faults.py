"""`make soak-faults`: CYCLES faults over the whole pipeline under load (200); ends in `lost 0, doubled 0, hands 0`.

FAULTS_SEED repeats the order of the faults and the load of another run. Of a run that found something, everything is
kept. The two long absences of a server come once. SOAK_SECONDS= ends the faults early and judges what was struck.
"""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.whole_pipeline import Plan, soak
from tests.faults.whole_pipeline_kinds import KINDS, LONG


def main() -> int:
    """0 when nothing is lost, nothing doubled, and no person was needed."""
    cycles = int(os.environ.get("CYCLES", "200"))
    seed = int(os.environ.get("FAULTS_SEED", secrets.randbelow(2**32)))
    home = Path(tempfile.mkdtemp(prefix="hourstream-soak-"))
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that all is ended and unmounted
    os.umask(0o077)
    print(f"CYCLES={cycles} FAULTS_SEED={seed} in {home}", flush=True)
    seconds = float(os.environ.get("SOAK_SECONDS", "inf"))
    outcome = soak(home, KINDS, cycles, seed, Plan(once=tuple(LONG), seconds=seconds))
    if outcome.clean:
        shutil.rmtree(home)
    print(outcome.report(), flush=True)
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
