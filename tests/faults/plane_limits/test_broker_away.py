"""The broker goes away at each step of an assignment. After its return everything is read again, and nobody helps.

In the short form every bound is shorter than the outage, as 60 and 180 s are shorter than 300 s:
`make soak-broker-away` takes the real ones.
"""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.plane_limits.away import STEPS, Recovered, Way, away, fronted

SHORT = {"HOURSTREAM_REQUEST_SECONDS": "4", "HOURSTREAM_STALL_SECONDS": "8"}
WAYS: tuple[Way, Way] = ("refused", "silent")
EXPECTED = [b"0", b"1", b"2", b"3"]
Case = tuple[str, Way]


def all_at_once(home: Path, cases: Sequence[Case], seconds: float, patience: float) -> Iterator[Recovered | Exception]:
    """The outcome of each case, in order."""
    with fronted(home, len(cases)) as (broker, proxies), ThreadPoolExecutor(len(cases)) as pool:
        runs = [
            pool.submit(away, broker, proxy, home / f"{step}-{way}", step, way, seconds, patience)
            for proxy, (step, way) in zip(proxies, cases, strict=True)
        ]
        for run in runs:
            try:
                yield run.result()
            except Exception as error:
                yield error


def check(outcome: Recovered | Exception) -> None:
    if isinstance(outcome, Exception):
        raise outcome
    print(outcome)
    assert sorted(outcome.outputs) == EXPECTED
    assert outcome.step != "idle" or not outcome.endings


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recovered | Exception]:
    """By step; one after the other is refused and silent."""
    cases = list(zip(STEPS, itertools.cycle(WAYS), strict=False))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHORT.items():
            patch.setenv(name, value)
        found = all_at_once(tmp_path_factory.mktemp("away"), cases, seconds=12, patience=90)
        return dict(zip(STEPS, found, strict=True))


@pytest.mark.parametrize("step", STEPS)
def test_everything_is_read_again_after_an_outage_longer_than_every_bound(
    outcomes: dict[str, Recovered | Exception], step: str
) -> None:
    check(outcomes[step])


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seconds", [30, 100, 300])
def test_everything_is_read_again_with_the_bounds_of_an_installation(tmp_path: Path, seconds: float) -> None:
    cases = list(itertools.product(STEPS, WAYS))
    outcomes = list(all_at_once(tmp_path, cases, seconds, patience=300))
    print()
    for outcome in outcomes:
        print(outcome)
    for outcome in outcomes:
        check(outcome)
