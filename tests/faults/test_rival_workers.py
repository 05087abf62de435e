"""Two settle workers that share the partitions: one is killed, the other sleeps through its own replacement.

The worst moment to be replaced is inside a commit: everything is written, the sleeper wakes and goes on to commit it.
By then another worker has fenced it and decided the same records again.
"""

import os
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from runtime.plane.partitions import EXIT_FENCED
from runtime.supervisor import Workers
from tests.faults.flow import Outcome, TockData, await_that, flowing, workers_at

pytestmark = pytest.mark.timeout(600)


def held(workers: Workers) -> int:
    """How many partitions the settle worker of these has restored and reads."""
    status = workers.status("settle")
    return len(status["partitions"]) if status else 0


def test_one_is_killed_and_one_sleeps_inside_its_commit(
    tmp_path: Path, tock_data: TockData, undisturbed: Outcome
) -> None:
    reference, lines = tock_data
    with flowing(tmp_path / "first") as flow:
        flow.feed_masters()
        flow.feed(reference)
        second = flow.stack.settings.model_copy(update={"home": tmp_path / "second"})
        rivals, rival_faults = workers_at(second, ("settle",))

        def share() -> bool:
            return held(flow.workers) == held(rivals) == 2

        with rivals:
            await_that(share, "the partitions were not shared")
            flow.faults.arm("settle:flushed")
            flow.publish(lines[0::4])
            flow.faults.wait("settle:flushed")
            await_that(share, "the killed worker did not come back")

            rival_faults.arm("settle:flushed", SIGSTOP)
            flow.publish(lines[1::4])
            sleeper = rival_faults.wait("settle:flushed")
            await_that(lambda: held(flow.workers) == 4, "the sleeper was not replaced")
            flow.publish(lines[2::4])
            os.kill(sleeper, SIGCONT)
            await_that(lambda: bool(rivals.endings("settle")), "the sleeper did not find out that it is fenced")
            flow.publish(lines[3::4])
            await_that(share, "the workers do not share again")
        assert rivals.endings("settle") == [EXIT_FENCED]
        flow.come_to_rest()
        flow.invoice()
        assert flow.endings() == {"settle": [-SIGKILL]}
        assert flow.uncommitted("billing.ready", "billing.exceptions"), "nobody was struck inside a transaction"
        assert flow.outcome() == undisturbed
