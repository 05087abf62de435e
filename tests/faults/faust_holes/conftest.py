"""Each scenario is written once and run against two subjects; of the stock one the property is known not to hold.

Both run side by side, because most of their time is waiting; the test of each asks for its own outcome.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from devstack.stack import Stack
from tests.faults.faust_holes.subjects import Subject

KINDS = ("stock", "hourstream")
Scenario = Callable[[Subject], None]


def held_by(reason: str, raises: type[Exception] = AssertionError) -> pytest.MarkDecorator:
    """Both subjects; the stock one is known to fail, for this `reason`."""
    stock = pytest.param("stock", marks=pytest.mark.xfail(reason=reason, strict=True, raises=raises))
    return pytest.mark.parametrize("kind", [stock, "hourstream"])


def scenario(hole: str, reason: str) -> Callable[[Scenario], Callable[..., None]]:
    """A test of each subject from one scenario, in which its app is known by the name of the `hole`."""

    def tested(run: Scenario) -> Callable[..., None]:
        @held_by(reason)
        def test(both: "Both", kind: str) -> None:
            both.outcome(hole, run, kind)

        test.__name__, test.__doc__ = run.__name__, run.__doc__
        return test

    return tested


class Both:
    """Runs a scenario against both subjects at once."""

    def __init__(self, broker: str, folders: pytest.TempPathFactory) -> None:
        self._broker, self._folders = broker, folders
        self._pool = ThreadPoolExecutor(len(KINDS))
        self._runs: dict[tuple[str, str], Future[None]] = {}

    def outcome(self, hole: str, run: Scenario, kind: str) -> None:
        """Return when the scenario held for this kind; raise what it raised."""
        if (hole, kind) not in self._runs:
            for each in KINDS:
                self._runs[hole, each] = self._pool.submit(self._run, each, hole, run)
        self._runs[hole, kind].result()

    def _run(self, kind: str, hole: str, run: Scenario) -> None:
        app = Subject(kind, hole, self._broker, self._folders.mktemp(f"{hole}-{kind}"))
        try:
            run(app)
        finally:
            app.kill()

    def close(self) -> None:
        """Wait for whatever still runs."""
        self._pool.shutdown()


@pytest.fixture(scope="session")
def both(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """One broker for all scenarios."""
    running = Both(stack.broker, tmp_path_factory)
    yield running
    running.close()
