"""A deliverer at work in a thread of the test, and how to wait until it has nothing left to do."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sinks.delivery.queue import DeliverySink
from sinks.delivery.rate_limit import CallPolicy
from sinks.delivery.target import Target
from sinks.delivery.worker import DeliveryWorker
from storage.postgres import Pool

PATIENCE = 60.0  # seconds; a machine may be busy with other things
QUICK = CallPolicy(first_pause=0.02, longest_pause=0.2, breaker_pause=0.1, longest_breaker_pause=0.3)


@contextmanager
def delivering(pool: Pool, target: Target, policy: CallPolicy = QUICK) -> Iterator[DeliverySink]:
    """The sink of a target that is being delivered to. At the end, what the deliverer raised is raised here."""
    deliverer = DeliveryWorker(target, pool, policy)
    raised: list[Exception] = []

    def run() -> None:
        try:
            deliverer.run()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, name=f"deliverer-{target.name}")
    thread.start()
    try:
        yield DeliverySink(pool, target, deliverer.wake)
    finally:
        deliverer.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        if raised:
            raise raised[0]


def await_that(happened: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.01)


def states(pool: Pool, target: str) -> dict[str, str]:
    """{charge: state} of a target's queue."""
    with pool.connection() as connection:
        return dict(
            connection.execute(
                "SELECT charge_id, state FROM hourstream.deliveries WHERE target = %s ORDER BY seq", (target,)
            ).fetchall()
        )


def await_delivered(pool: Pool, target: str) -> None:
    """Wait until no charge of the target waits."""
    await_that(
        lambda: "waiting" not in states(pool, target).values(),
        lambda: f"still waiting: {[c for c, state in states(pool, target).items() if state == 'waiting'][:5]}",
    )
