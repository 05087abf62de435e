"""The fuzz in short: every process meets extreme and malformed records, stays up, and bills the good ones.

`make soak-fuzz` is the long form, over every source. FUZZ_SEED repeats the records of another run.
"""

import logging
import os
import secrets
from pathlib import Path

import pytest

from tests.fuzz.fuzz import fuzz

RECORDS, SOURCES, SECONDS = 1_500, ("tock", "jira"), 240.0
SEED = int(os.environ.get("FUZZ_SEED", secrets.randbelow(2**32)))


@pytest.mark.timeout(600)
def test_every_process_outlives_extreme_and_malformed_records_and_loses_no_good_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)  # every record that a command skips is a warning
    print(f"FUZZ_SEED={SEED}")
    outcome = fuzz(tmp_path, RECORDS, SEED, SOURCES, SECONDS)
    report = outcome.report()
    assert outcome.clean, report
    assert RECORDS * 0.95 < outcome.records <= RECORDS, report  # of the largest the broker refuses some
    assert min(outcome.found.dead, outcome.found.exceptions, outcome.found.taken) > 20, report
