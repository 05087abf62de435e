"""The fault soak in short: every kind of fault once, over a continuous load. `make soak-faults` is the long form."""

import os
import secrets
from pathlib import Path

import pytest

from tests.faults.cycles import soak
from tests.faults.kinds import KINDS

SEED = int(os.environ.get("FAULTS_SEED", secrets.randbelow(2**32)))


@pytest.mark.timeout(900)
def test_every_kind_of_fault_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    print(f"FAULTS_SEED={SEED}")
    soaked = soak(tmp_path, len(KINDS), SEED, session_seconds=4.0)
    print(soaked.report())
    assert soaked.clean
