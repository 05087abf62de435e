"""A worker that hangs in any layer ends itself with the reason, and its next life goes on; a slow one is left alone."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from common.exit_codes import EXIT_CRASHED
from devstack.stack import Stack
from tests.faults.faust_holes.hangs import HANGS
from tests.faults.faust_holes.subjects import END, Subject

STALL_SECONDS = 5.0
REASONS = {
    "decide": "records is not committed",
    "commit": "records is not committed",
    "fence": "it is fencing its former owner",
    "restore": "it is restoring",
    "read": "more is committed than was read",
    "recovery": "more is committed than was read",
    "join": "it is no member of hourstream-join-hourstream",
    "assign": "it was given partitions",
    "revoke": "it is no member of",
    "lost-batch": "records is not committed",
    "loop": "event loop: no progress",
    "interpreter": "Timeout",
}


class Runs:
    """Workers that hang, all at once, because most of their time is waiting."""

    def __init__(self, broker: str, home: Path) -> None:
        self._broker, self._home = broker, home
        self._pool = ThreadPoolExecutor(len(HANGS))
        self.of = {hang: self._pool.submit(self._run, hang) for hang in HANGS}

    def _run(self, hang: str) -> Subject:
        app = Subject("hourstream", hang, self._broker, self._home / hang)
        try:
            app.topics()
            app.publish(b"0", b"1", b"2")
            app.start(HOURSTREAM_STALL_SECONDS=str(STALL_SECONDS))
            app.finish()
        finally:
            app.kill()
        return app


@pytest.fixture(scope="module")
def runs(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Subject]]:
    return Runs(stack.broker, tmp_path_factory.mktemp("stalls")).of


@pytest.mark.parametrize("hang", HANGS)
def test_a_hang_ends_the_worker_with_its_reason_and_the_next_life_goes_on(
    runs: dict[str, Future[Subject]], hang: str
) -> None:
    app = runs[hang].result()
    assert app.endings == [1 if hang == "interpreter" else EXIT_CRASHED]
    assert REASONS[hang] in (app.home / "life-1.log").read_text()
    assert app.outputs() == [b"0", b"1", b"2", END]
