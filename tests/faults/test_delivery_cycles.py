"""Deliveries through bad weather, in short. `make soak-sinks` is the long form."""

import os
import secrets
from pathlib import Path

import pytest

from tests.faults.deliveries import soak

SEED = int(os.environ.get("FAULTS_SEED", secrets.randbelow(2**32)))


@pytest.mark.timeout(300)
def test_whatever_the_weather_each_charge_is_posted_exactly_once(tmp_path: Path) -> None:
    print(f"FAULTS_SEED={SEED}")
    delivered = soak(tmp_path, 3, SEED, outage=1.0)
    print(delivered.report())
    assert delivered.clean
    assert delivered.states["posted"] > 0
