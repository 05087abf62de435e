"""A worker that is idle until the broker has forgotten its transactional ids (7 days in production)."""

import time
from pathlib import Path

from common.exit_codes import EXIT_CRASHED
from tests.faults.faust_holes.subjects import END, Subject

PARTITIONS = 4


def test_an_idle_worker_is_healed_by_one_restart(forgetful: str, tmp_path: Path) -> None:
    app = Subject("hourstream", "idle", forgetful, tmp_path)
    app.topics(partitions=PARTITIONS)
    try:
        app.start()
        for number in range(PARTITIONS):
            app.publish(b"before-%d" % number, partition=number)
        app.wait(lambda: len(app.outputs()) == PARTITIONS, "it does not work")
        time.sleep(7)
        for number in range(PARTITIONS):
            app.publish(b"after-%d" % number, partition=number)
        app.wait(lambda: len(app.outputs()) >= 2 * PARTITIONS, "it did not recover")
        outputs = app.finish()
    finally:
        app.kill()
    whole = [b"%s-%d" % (when, number) for when in (b"before", b"after") for number in range(PARTITIONS)]
    assert sorted(outputs) == sorted([*whole, END])
    assert app.endings in ([], [EXIT_CRASHED])
