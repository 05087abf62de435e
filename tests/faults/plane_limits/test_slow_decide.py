"""A batch whose decision outlasts the rebalance timeout: its worker is given up and fenced, and nothing is lost."""

from common.exit_codes import EXIT_FENCED
from tests.faults.faust_holes.subjects import END
from tests.faults.plane_limits.conftest import Make


def test_a_decision_slower_than_a_rebalance_loses_and_doubles_nothing(worker: Make) -> None:
    app = worker("slow")
    app.topics()
    app.publish(b"0", b"1", b"2")
    app.start()
    app.wait((app.home / "slow").exists, "it did not begin")
    rival = app.rival()
    try:
        rival.start()  # its joining asks the slow one to give its partition back
        rival.finish()
        app.until(lambda: bool(app.endings), seconds=20)
        assert app.endings[0] == EXIT_FENCED
        assert sorted(rival.outputs()) == [b"0", b"1", b"2", END]
    finally:
        rival.kill()
