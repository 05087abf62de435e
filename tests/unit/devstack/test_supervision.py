"""The home's lock, what a killed run left, and the record of restarts: right, and never the end of who keeps them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cli.status import supervised
from devstack.home import HomeTaken, empty_home, hold_home, refuse_taken, take_home
from devstack.keeper import RestartDelay
from devstack.leftover import end_orphans, recorded_process
from devstack.record import ProcessRecord

SLEEPER = "import signal, sys, time; signal.signal(signal.SIGTERM, {handler}); print(1, flush=True); time.sleep(60)"


@contextmanager
def sleeper(handler: str = "signal.SIG_DFL") -> Iterator[subprocess.Popen[bytes]]:
    """A process that `marked` tells apart, once it has its handler of SIGTERM."""
    command = [sys.executable, "-c", SLEEPER.format(handler=handler), "marked"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def noted(folder: Path, pid: int, started: float, name: str = "settle") -> Path:
    file = folder / f"{name}.pid"
    file.write_text(json.dumps({"pid": pid, "started": started, "mark": "marked"}))
    return file


def test_a_taken_home_is_refused_with_the_pid_of_its_holder_and_free_again_afterwards(tmp_path: Path) -> None:
    with hold_home(tmp_path):
        for refused in (lambda: refuse_taken(tmp_path), lambda: take_home(tmp_path), lambda: empty_home(tmp_path)):
            with pytest.raises(HomeTaken, match=rf"process {os.getpid()}"):
                refused()
    refuse_taken(tmp_path)
    with hold_home(tmp_path):
        pass


def test_a_folder_that_is_not_for_a_stack_alone_keeps_the_modes_of_what_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("state", "letters"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    tmp_path.chmod(0o755)
    with hold_home(tmp_path):
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path, *tmp_path.iterdir())}
    assert modes == {tmp_path.name: 0o755, "state": 0o700, "letters": 0o755, "stack.lock": 0o600}
    monkeypatch.undo()
    with hold_home(tmp_path):
        assert (tmp_path / "letters").stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_not_there_is_free_and_not_made_by_looking(tmp_path: Path) -> None:
    refuse_taken(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_emptied_home_keeps_its_lock_alone(tmp_path: Path) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    (tmp_path / "ports.json").write_text("{}")
    empty_home(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["stack.lock"]


@pytest.mark.parametrize("handler", ["signal.SIG_DFL", "signal.SIG_IGN"])
def test_an_orphan_is_ended_in_order_or_killed(tmp_path: Path, handler: str) -> None:
    with sleeper(handler) as process:
        file = noted(tmp_path, process.pid, psutil.Process(process.pid).create_time())
        assert end_orphans(tmp_path, 0.5) == ["settle"]
        assert process.wait(5) in (-9, -15)
        assert not file.exists()


def test_a_process_that_got_the_pid_of_an_ended_one_is_left_alone(tmp_path: Path) -> None:
    with sleeper() as process:
        file = noted(tmp_path, process.pid, psutil.Process(process.pid).create_time() - 60)
        assert recorded_process(file) is None
        assert end_orphans(tmp_path, 0.5) == []
        assert process.poll() is None
    for broken in ("", "[]", "{}", '{"pid": "x"}'):
        file.write_text(broken)
        assert recorded_process(file) is None


def test_the_record_tells_what_ended_and_why_and_who_supervises(tmp_path: Path) -> None:
    record = ProcessRecord(tmp_path, "up")
    me = psutil.Process()
    record.started("settle", me.pid, me.create_time(), tmp_path / "settle.log", 4711)
    record.ended("settle", -9, "the last\n line")
    record.not_started("settle", "[Errno 28] No space left on device")
    record.started("settle", me.pid, me.create_time(), tmp_path / "settle.log")
    record.started("kafka", 1, 0.0, tmp_path / "kafka.out")
    record.write()
    found = supervised(tmp_path)
    assert found is not None
    assert found["supervisor"]["pid"] == me.pid
    settle = found["processes"]["settle"]
    assert (settle["running"], settle["port"], settle["restarts"]) == (True, 4711, 1)
    assert [(each["exit_code"], each["what"], each["last_line"]) for each in settle["endings"]] == [
        (-9, "ended by SIGKILL", "the last line"),
        (None, "could not be started", "[Errno 28] No space left on device"),
    ]
    assert found["processes"]["kafka"]["running"] is False, "pid 1 is another program, which began at another time"
    record.close()
    assert supervised(tmp_path) is None


def test_a_record_that_cannot_be_written_now_is_written_later(tmp_path: Path) -> None:
    record = ProcessRecord(tmp_path, "up")
    (tmp_path / "run").write_text("in the way")
    record.write()
    assert supervised(tmp_path) is None
    (tmp_path / "run").unlink()
    record.write()
    assert supervised(tmp_path) is not None


def test_a_record_of_a_supervisor_that_is_gone_counts_for_nothing(tmp_path: Path) -> None:
    ProcessRecord(tmp_path, "up").write()
    file = ProcessRecord.file_of(tmp_path)
    left = json.loads(file.read_text())
    for changed in ({"started": left["supervisor"]["started"] - 60}, {"pid": 2**22}):
        file.write_text(json.dumps({**left, "supervisor": {**left["supervisor"], **changed}}))
        assert supervised(tmp_path) is None


def test_restarts_wait_longer_and_longer_but_never_over_ten_seconds() -> None:
    backoff = RestartDelay()
    waits = [backoff.next() for _ in range(40)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] == 10


def test_status_of_a_home_where_nothing_runs_takes_no_time_and_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "HOURSTREAM_HOME": str(home)}
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", "cli.main", "status"], env=environment, capture_output=True, text=True, check=False
    )
    took = time.monotonic() - began
    assert (told.returncode, told.stdout) == (3, "nothing runs here: `hourstream up`\n")
    assert not home.exists()
    assert took < 1 + os.getloadavg()[0] / 2, "within a second, on a machine that is not busy"
