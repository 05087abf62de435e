"""kill -9 of every process while Tock flows: before, inside and after a commit. Nothing of the books may show it.

A point that was struck has left a file which its process named by its own id (`Faults.wait`), and the supervisor saw
that process end by signal 9. Reference data is at rest before lines flow, so that not only the net, but every charge
with its id is to come out the same.
"""

from pathlib import Path
from signal import SIGKILL

import pytest

from tests.faults.flow import Outcome, TockData, flowing

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


def test_masters_and_intake_are_killed(tmp_path: Path, tock_data: TockData, undisturbed: Outcome) -> None:
    reference, lines = tock_data
    with flowing(tmp_path) as flow:
        flow.feed_masters()
        flow.feed(reference, [[f"masters:{point}"] for point in IN_KAFKA])
        flow.feed(lines, [[f"intake:{point}"] for point in IN_KAFKA])
        flow.invoice()
        assert flow.endings() == {"masters": [-SIGKILL] * 4, "intake": [-SIGKILL] * 4}
        assert flow.uncommitted("masters.current"), "masters was not killed inside a transaction"
        assert flow.uncommitted("time.entries"), "intake was not killed inside a transaction"
        assert flow.outcome() == undisturbed


def test_settle_is_killed(tmp_path: Path, tock_data: TockData, undisturbed: Outcome) -> None:
    reference, lines = tock_data
    with flowing(tmp_path) as flow:
        flow.feed_masters()
        flow.feed(reference)
        flow.feed(lines, [[f"settle:{point}"] for point in IN_KAFKA])
        flow.invoice()
        assert flow.endings() == {"settle": [-SIGKILL] * 4}
        assert flow.uncommitted("billing.ready", "billing.exceptions"), "settle was not killed inside a transaction"
        assert flow.outcome() == undisturbed


def test_the_sinks_are_killed(tmp_path: Path, tock_data: TockData, undisturbed: Outcome) -> None:
    reference, lines = tock_data
    with flowing(tmp_path) as flow:
        flow.feed_masters()
        flow.feed(reference)
        flow.feed(lines, [*zip(IN_ERP[:3], IN_BILLING, strict=True), IN_ERP[3:]])
        flow.invoice("billing:announced")
        assert flow.endings() == {"erp": [-SIGKILL] * 4, "billing": [-SIGKILL] * 4}
        assert flow.repeated("erp.postings"), "erp was not killed between an announcement and its mark"
        assert flow.repeated("invoice.status"), "billing was not killed between an announcement and its mark"
        assert flow.outcome() == undisturbed
