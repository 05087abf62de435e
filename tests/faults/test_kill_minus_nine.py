"""kill -9 of every process while Tock flows: before, inside and after a commit. Nothing of the books may show it.

A point that was struck has left a file which its process named by its own id (`Faults.wait`), and the supervisor saw
that process end by signal 9. Reference data is at rest before lines flow, so that not only the net, but every charge
with its id is to come out the same. Then two settle workers that share the partitions: one is killed, the other sleeps
through its own replacement inside a commit, where everything is written; it wakes, goes on to commit it, and must not
succeed.
"""

import os
from itertools import zip_longest
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from common.exit_codes import EXIT_FENCED
from devstack.supervisor import Workers
from tests.faults.flow import Outcome, TockData, await_that, flowing, workers_at

pytestmark = pytest.mark.timeout(600)

# Where a Kafka transaction can be interrupted: before it, inside it with everything written, committed but not in the
# local store yet, and in the store but not taken note of.
IN_KAFKA = ("decided", "flushed", "committed", "stored")
# The same of a sink: before its database transaction, inside it, after it, and announced but not marked as announced.
IN_ERP = ("erp:decided", "journal:written", "erp:committed", "erp:announced")
IN_BILLING = ("billing:decided", "projection:written", "billing:committed")


@pytest.fixture(autouse=True)
def _undisturbed_first(undisturbed: Outcome) -> None:
    """Its stack is gone before another one starts."""


def test_every_process_is_killed_at_every_point(tmp_path: Path, tock_data: TockData, undisturbed: Outcome) -> None:
    reference, lines = tock_data
    with flowing(tmp_path) as flow:
        flow.feed_masters()
        flow.feed(reference, [[f"masters:{point}"] for point in IN_KAFKA])
        at_once = zip_longest(IN_KAFKA, IN_ERP, IN_BILLING)
        flow.feed(lines, [[f"intake:{plane}", f"settle:{plane}", *filter(None, sinks)] for plane, *sinks in at_once])
        flow.invoice("billing:announced")
        assert flow.endings() == dict.fromkeys(("masters", "intake", "settle", "erp", "billing"), [-SIGKILL] * 4)
        for topics in (["masters.current"], ["time.entries"], ["billing.ready", "billing.exceptions"]):
            assert flow.uncommitted(*topics), f"nobody was killed inside a transaction that writes {topics}"
        assert flow.repeated("erp.postings"), "erp was not killed between an announcement and its mark"
        assert flow.repeated("invoice.status"), "billing was not killed between an announcement and its mark"
        assert flow.outcome() == undisturbed


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
            await_that(share, "the workers do not share again")
            flow.publish(lines[3::4])
        # It commits and is fenced, or it first hears that the partition was taken from it and gives the commit up.
        assert rivals.endings("settle") in ([EXIT_FENCED], [])
        flow.come_to_rest()
        flow.invoice()
        assert flow.endings() == {"settle": [-SIGKILL]}
        assert flow.uncommitted("billing.ready", "billing.exceptions"), "nobody was struck inside a transaction"
        assert flow.outcome() == undisturbed
