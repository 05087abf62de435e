"""The fault soak of the whole pipeline in short: a few kinds over a load. `make soak-faults` is the long form."""

import os
import secrets
from pathlib import Path

import pytest

from tests.faults.whole_pipeline import Plan, soak
from tests.faults.whole_pipeline_kinds import KINDS

SEED = int(os.environ.get("FAULTS_SEED", secrets.randbelow(2**32)))
SHORT = ("kill -9 of several workers", "kill -9, state deleted")


@pytest.mark.timeout(600)
def test_the_whole_pipeline_loses_and_doubles_nothing_and_needs_no_hand(tmp_path: Path) -> None:
    print(f"FAULTS_SEED={SEED}")
    kinds = {name: KINDS[name] for name in SHORT}
    outcome = soak(tmp_path, kinds, len(kinds), SEED, Plan(4.0, partitions=1, per_second=30, keep=False))
    print(outcome.report())
    assert outcome.clean
