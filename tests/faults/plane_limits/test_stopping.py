"""SIGTERM ends a worker at every moment of its life, with 0, and in bounded time."""

import time
from signal import SIGHUP, SIGTERM

import pytest

from streaming.stopping import GRACE_SECONDS
from tests.faults.faust_holes.subjects import Subject
from tests.faults.plane_limits.conftest import Make


def _stopped(app: Subject, seconds: float) -> float:
    """Seconds from the signal to the end; the exit status must be 0."""
    began = time.monotonic()
    assert app.process.wait(seconds) == 0
    return time.monotonic() - began


def _begun(app: Subject, **environment: str) -> Subject:
    app.topics()
    app.publish(b"0")
    return app.start(**environment)


@pytest.mark.parametrize("signal", [SIGTERM, SIGHUP])
def test_a_worker_at_work_ends_at_once(worker: Make, signal: int) -> None:
    app = _begun(worker(f"stop-{signal}"))
    app.wait(lambda: bool(app.outputs()), "it did not begin")
    app.process.send_signal(signal)
    assert _stopped(app, 30) < GRACE_SECONDS


def test_a_worker_whose_event_loop_is_blocked_ends_after_the_grace(worker: Make) -> None:
    app = _begun(worker("stopped-loop"))
    app.wait(lambda: "restored" in app.log(), "it did not begin")
    time.sleep(1)
    app.process.send_signal(SIGTERM)
    _stopped(app, GRACE_SECONDS + 20)


@pytest.mark.parametrize("point", ["joining", "fencing", "flushed"])
def test_a_signal_that_comes_inside_a_step_is_heard_after_it(worker: Make, point: str) -> None:
    app = worker(f"stop-{point}")
    app = _begun(app, **app.strike(point, SIGTERM))
    _stopped(app, GRACE_SECONDS + 30)


def test_a_second_signal_ends_it_at_once(worker: Make) -> None:
    app = _begun(worker("stopped-commit"))
    app.wait(lambda: "restored" in app.log(), "it did not begin")
    time.sleep(1)
    app.process.send_signal(SIGTERM)
    time.sleep(0.5)
    app.process.send_signal(SIGTERM)
    assert _stopped(app, 30) < GRACE_SECONDS / 2
