"""What every disturbed run is held to: the same input, undisturbed."""

import pytest

from tests.faults.flow import Outcome, TockData, flowing, tock


@pytest.fixture(scope="session")
def tock_data() -> TockData:
    """Some 400 lines, near 2,000 time entries."""
    return tock(every=27)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tock_data: TockData) -> Outcome:
    """What comes of the input when nothing is killed."""
    reference, lines = tock_data
    with flowing(tmp_path_factory.mktemp("undisturbed")) as flow:
        flow.feed_masters()
        flow.feed(reference)
        flow.feed(lines)
        flow.invoice()
        assert not flow.endings()
        return flow.outcome()
