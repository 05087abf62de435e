"""`make soak-fuzz`: RECORDS records (50,000) good and bad over all processes; FUZZ_SEED repeats those of another run.

Ends in `records N, dead D, exceptions E, workers restarted 0, good ones lost 0`. Of a run that found something,
everything is kept.
"""

import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from common.private import UMASK
from sources.mapping import catalogue
from tests.fuzz.fuzz import fuzz

SECONDS = 7_200.0


def main() -> int:
    """0 when every worker is alive, no good record is lost, and each bad one is named."""
    records = int(os.environ.get("RECORDS", "50000"))
    seed = int(os.environ.get("FUZZ_SEED", secrets.randbelow(2**32)))
    home = Path(tempfile.mkdtemp(prefix="hourstream-fuzz-"))
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that all is ended
    os.umask(UMASK)
    logging.getLogger("hourstream.records").setLevel(logging.ERROR)  # every record that a command skips is a warning
    print(f"RECORDS={records} FUZZ_SEED={seed} in {home}", flush=True)
    outcome = fuzz(home, records, seed, catalogue.names(), SECONDS)
    if outcome.clean:
        shutil.rmtree(home)
    print(outcome.report(), flush=True)
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
