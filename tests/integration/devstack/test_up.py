"""`hourstream up` through everything that may end a part of it: all is restored, nothing is lost, nothing is doubled.

One `up` with the console goes through all tests, on a small disk of its own where this user may mount one. Each test
strikes, publishes time before and after, and holds what was charged and posted to what was published.
"""

import json
import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import psutil
import psycopg
import pytest

from assurance.ledger_reader import Books
from assurance.statements import statements
from devstack.ports import LOOPBACK, free_port
from operations.quiescence import wait_until_quiet
from settings import CHECKOUT, Settings
from storage.postgres import open_pool
from streaming.publisher import RecordPublisher
from tests.faults.full_disk import full_disk
from tests.faults.plant import small_disk
from tests.faults.up import COMMAND, Up, gone
from tests.unit.tables.contents import MASTERS, entry, numbered

pytestmark = pytest.mark.timeout(300)


class Firm:
    """An `up`, and the time that was published to it."""

    def __init__(self, up: Up) -> None:
        self.up, self.entries, self._numbers = up, list[str](), count(1)

    def publish(self, number: int = 20) -> None:
        """Approved time, acknowledged when this returns."""
        contents = []
        for one in (next(self._numbers) for _ in range(number)):
            contents.append(entry("E1", str(one), 15, f"2024-01-{one % 28 + 1:02}"))
            self.entries.append(f"time:{one}")
        self.send(contents)

    def send(self, contents: list[tuple[str, dict[str, object]]]) -> None:
        """Any contents."""
        publisher = RecordPublisher(self.up.stack.broker)
        for line in numbered(contents):
            publisher.publish(line["topic"], line["key"], line["value"])
        publisher.finish()

    def assert_nothing_lost_or_doubled(self) -> None:
        """At rest, each entry is charged once and each charge posted once."""
        stack = self.up.stack
        with open_pool(stack.postgres_url, max_size=2) as pool:
            wait_until_quiet(self.up, stack.broker, seconds=120)  # type: ignore[arg-type]  # it has what is asked for
            books = Books.read(stack.broker)
            charged = Counter(subject for (_, subject), records in books.charges.items() for _ in records)
            assert charged == Counter(self.entries)
            assert not [each for each in statements(books, pool) if not each.holds]
        with psycopg.connect(stack.postgres_url) as connection:
            posted = connection.execute("SELECT charge_id FROM hourstream.journal_postings").fetchall()
        assert Counter(one for (one,) in posted) == Counter(
            record["charge_id"] for records in books.charges.values() for record in records
        )


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str | None]]:
    """The home, and why it has no small disk of its own where it has none."""
    home = tmp_path_factory.mktemp("up") / "home"
    with small_disk(home, megabytes=1536, keep=False) as refused:
        yield home, refused


@pytest.fixture(scope="module")
def firm(disk: tuple[Path, str | None]) -> Iterator[Firm]:
    """A running `up` with its console and some settled time."""
    settings = Settings.load(home=disk[0], broker=None, postgres_url=None, partitions=1, session_seconds=4.0)
    arguments = ("--console", "--without-login", "--console-port", str(free_port()))
    with Up(settings, arguments) as up:
        up.start()
        firm = Firm(up)
        firm.send(list(MASTERS))
        firm.publish()
        yield firm


def restored(up: Up, before: dict[str, int], *names: str) -> Callable[[], bool]:
    """Whether each of these was restarted since and all is well."""
    return lambda: all(up.restarts().get(name, 0) > before.get(name, 0) for name in names) and up.all_well()


def test_every_killed_process_comes_back_on_its_port_also_without_its_log_folder(firm: Firm) -> None:
    up, before = firm.up, firm.up.restarts()
    addresses = up.stack.broker, up.stack.postgres_url
    struck = ("postgres", "kafka", "settle", "erp", "warehouse", "seal", "console")
    subprocess.run(["rm", "-rf", str(up.settings.home / "logs")], check=True)  # noqa: S607
    for name in struck:
        up.kill(name)
    up.await_that(restored(up, before, *struck), "not everything came back")
    assert (up.stack.broker, up.stack.postgres_url) == addresses
    assert all(up.processes()[name]["endings"][-1]["exit_code"] in (-SIGKILL, None) for name in ("kafka", "settle"))
    logs = {path.name for path in (up.settings.home / "logs").iterdir()}
    assert {f"{name}.log" for name in ("settle", "seal", "console")} <= logs
    firm.publish()
    firm.assert_nothing_lost_or_doubled()


def test_status_tells_pids_ports_restarts_their_reasons_and_lags(firm: Firm) -> None:
    before = firm.up.restarts()
    firm.up.kill("settle")  # which has a log again since the test before
    firm.up.await_that(restored(firm.up, before, "settle"), "settle did not come back")
    told = subprocess.run(
        [*COMMAND, "status", "--json"], cwd=CHECKOUT, env=firm.up.environment, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout + told.stderr
    status = json.loads(told.stdout)
    assert status["supervisor"]["pid"] == firm.up.pid
    settle = status["processes"]["settle"]
    assert psutil.Process(settle["pid"]).cmdline()[-4:-2] == ["worker", "settle"]
    assert settle["restarts"] >= 1
    assert settle["endings"][-1]["what"] == "ended by SIGKILL"
    assert settle["endings"][-1]["last_line"]
    assert settle["since"] >= settle["endings"][-1]["at"]
    assert status["processes"]["kafka"]["port"] == int(firm.up.stack.broker.rpartition(":")[2])
    assert status["kafka"]["groups"]["hourstream-settle"]["lag"] == 0
    assert status["postgres"]["answers"] is True
    assert status["folders"]["kafka"] == str(firm.up.settings.home / "kafka")
    password = (firm.up.settings.home / "postgres" / "password").read_text()
    assert password not in told.stdout + (firm.up.settings.home / "run" / "processes.json").read_text()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_second_supervisor_on_the_home_is_refused_at_once(firm: Firm, elsewhere: bool) -> None:
    more = {"HOURSTREAM_BROKER": firm.up.stack.broker, "HOURSTREAM_POSTGRES_URL": firm.up.stack.postgres_url}
    environment = firm.up.environment | (more if elsewhere else {})
    began = time.monotonic()
    second = subprocess.run([*COMMAND, "up"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=20)
    took = time.monotonic() - began
    assert second.returncode == 1
    assert f"process {firm.up.pid}" in second.stderr
    assert took < 1 or took < os.getloadavg()[0], "refused, but late"


def test_everything_below_the_home_is_its_owners_alone(firm: Firm) -> None:
    found = {path: path.lstat().st_mode for path in firm.up.settings.home.rglob("*") if not path.is_symlink()}
    assert len(found) > 100
    assert not [str(path) for path, mode in found.items() if mode & 0o077]


def test_a_server_waits_for_its_port_and_takes_it_again(firm: Firm) -> None:
    up, before = firm.up, firm.up.restarts()
    port, server = up.processes()["postgres"]["port"], up.pid_of("postgres")
    os.kill(up.pid, SIGSTOP)  # it is not to be quicker than we
    try:
        os.kill(server, SIGKILL)
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            up.await_that(lambda: _bound(other, port), "the port was not given up")
            other.listen()
            os.kill(up.pid, SIGCONT)
            firm.publish()
            up.await_that(lambda: "taken" in _why(up, "postgres"), "nothing tells that the port is taken")
            assert not up.processes()["postgres"]["running"]
    finally:
        os.kill(up.pid, SIGCONT)
    up.await_that(restored(up, before, "postgres"), "PostgreSQL did not come back")
    assert up.processes()["postgres"]["port"] == port
    firm.assert_nothing_lost_or_doubled()


def _bound(other: socket.socket, port: int) -> bool:
    try:
        other.bind((LOOPBACK, port))
    except OSError:
        return False
    return True


def _why(up: Up, name: str) -> str:
    endings = up.processes()[name]["endings"]
    return str(endings[-1]["last_line"]) if endings else ""


def test_a_full_disk_ends_nothing_for_good(firm: Firm, disk: tuple[Path, str | None]) -> None:
    home, refused = disk
    if refused is not None:
        pytest.skip(f"no disk to fill: {refused}")
    up = firm.up
    with full_disk(home):
        for name in ("kafka", "postgres", "settle"):  # they cannot come back before it ends
            up.kill(name)
        time.sleep(20)
        assert up.alive(), "a full disk ended the supervisor"
        assert not up.all_well(), "the disk was not full"
    up.await_that(up.all_well, "not everything came back once the disk was free")
    firm.publish()
    firm.assert_nothing_lost_or_doubled()


def test_up_killed_leaves_nothing_that_hinders_the_next(firm: Firm) -> None:
    firm.publish()
    up, children = firm.up, firm.up.descendants()
    up.end(SIGKILL)
    assert up.start() < 90
    assert gone(children)
    firm.publish()
    firm.assert_nothing_lost_or_doubled()


def test_sigterm_ends_everything_and_status_says_so(firm: Firm) -> None:
    children = firm.up.descendants()
    assert len(children) > 10
    assert firm.up.end() == 128 + 15
    assert gone(children)
    told = subprocess.run([*COMMAND, "status"], cwd=CHECKOUT, env=firm.up.environment, capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (3, "nothing runs here: `hourstream up`\n")
