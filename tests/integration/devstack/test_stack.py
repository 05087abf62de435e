"""The embedded stack as a person meets it: first and offline start, leftovers, signals, other users, own clusters."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from devstack import launch
from devstack.child import Child
from devstack.errors import StackError
from devstack.jars import classpath
from devstack.stack import Stack
from settings import CHECKOUT, Settings

NOWHERE = "http://127.0.0.1:9"

# A program which starts a stack on argv[1], tells its servers and waits to be ended.
HOLDER = """
    import sys, threading, time
    from devstack.stack import Stack
    from settings import Settings

    def hold():
        with Stack.start(Settings.load(home=sys.argv[1])) as stack:
            print(stack.kafka.pid, stack.postgres.pid, flush=True)
            time.sleep(600)

    if sys.argv[2] == "main":
        hold()
    else:  # from another thread the kernel is not asked to end the servers: they are left behind
        threading.Thread(target=hold).start()
"""


def quiet(line: str) -> None:
    """Progress nobody reads."""


@contextmanager
def holder(home: Path, thread: str) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(home), thread]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        finally:
            process.kill()


def runs(server: psutil.Process) -> bool:
    try:
        return server.is_running() and server.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def publish(broker: str, topic: str, value: bytes) -> None:
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": broker, "acks": "all"})
    producer.produce(topic, value)
    assert producer.flush(30) == 0


def first_value(broker: str, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "reader", "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        message: Message | None = consumer.poll(30)
        assert message is not None
        assert message.error() is None
        value: bytes | None = message.value()
        return value
    finally:
        consumer.close()


def eventually(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return true()


def test_a_record_and_a_row_go_in_and_come_out(stack: Stack, database: str) -> None:
    publish(stack.broker, "embedded.round-trip", b"one")
    assert first_value(stack.broker, "embedded.round-trip") == b"one"
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE entry (minutes int)")
        connection.execute("INSERT INTO entry VALUES (90)")
        assert connection.execute("SELECT minutes FROM entry").fetchone() == (90,)


def test_a_second_start_needs_no_network_and_finds_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load(home=tmp_path / "a folder with spaces, and a comma" / ("long" * 30))
    with Stack.start(settings, progress=quiet) as first:
        addresses = first.broker, first.postgres_url
        publish(first.broker, "kept", b"through everything")
        with psycopg.connect(first.postgres_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS figure")

    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(proxy, NOWHERE)
    monkeypatch.setitem(sys.modules, "jgo", None)
    with Stack.start(settings, progress=pytest.fail) as second:
        assert (second.broker, second.postgres_url) == addresses
        second.kafka.kill()
        second.kafka.start()
        assert second.broker == addresses[0]
        assert first_value(second.broker, "kept") == b"through everything"
        with psycopg.connect(second.postgres_url) as connection:
            assert connection.execute("SELECT figure FROM kept").fetchone() == (7,)
        second.postgres.kill()
        second.postgres.start()
        with psycopg.connect(second.postgres_url) as connection:
            assert connection.execute("SELECT figure FROM kept").fetchone() == (7,)


def test_without_network_the_first_start_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, NOWHERE)
    with pytest.raises(StackError, match="needs Maven Central") as caught:
        classpath(tmp_path, quiet)
    assert "HOURSTREAM_BROKER" in str(caught.value)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the tests of violent ends: what each leaves behind is what the next starts on."""
    return tmp_path_factory.mktemp("home")


def test_sigterm_stops_the_servers_in_order(home: Path) -> None:
    with holder(home, "main") as (process, servers):
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
        assert not any(map(runs, servers))
    assert not list(home.glob("*/*.pid"))
    assert (home / "stack.lock").read_text("ascii") == ""
    assert "database system is shut down" in (home / "postgres" / "postgres.log").read_text("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_servers_do_not_outlive_a_killed_parent(home: Path) -> None:
    with holder(home, "main") as (process, servers):
        process.kill()
        process.wait()
        assert eventually(lambda: not any(map(runs, servers)), 15)


def test_servers_left_by_a_killed_run_are_ended_by_the_next(home: Path) -> None:
    with holder(home, "other") as (process, servers):
        process.kill()
        process.wait()
        assert all(map(runs, servers))
        with Stack.start(Settings.load(home=home), progress=quiet) as stack:
            assert not any(map(runs, servers))
            with psycopg.connect(stack.postgres_url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "marked"]) as other:
        started = psutil.Process(other.pid).create_time()
        pid_file = tmp_path / "server.pid"
        for record in ({"started": started - 60, "mark": "marked"}, {"started": started, "mark": "another folder"}):
            pid_file.write_text(str({"pid": other.pid} | record).replace("'", '"'), "utf-8")
            assert not Child("server", pid_file, tmp_path / "log").end_leftover(signal.SIGKILL, 5)
            assert other.poll() is None
            assert not pid_file.exists()
        other.kill()


def test_a_postgres_pid_given_to_another_program_stops_no_start(tmp_path: Path, stack: Stack) -> None:
    settings = Settings.load(home=tmp_path, broker=stack.broker)
    with Stack.start(settings, progress=quiet) as running:
        pid_file = tmp_path / "postgres" / "data" / "postmaster.pid"
        written = pid_file.read_text("utf-8").splitlines()
        running.postgres.kill()
        user = pid_file.stat()
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
            pid_file.write_text("\n".join([str(other.pid), *written[1:], ""]), "utf-8")
            os.chown(pid_file, user.st_uid, user.st_gid)
            running.postgres.end_leftover()
            running.postgres.start()
            assert other.poll() is None
            other.kill()


def test_one_stack_a_home(tmp_path: Path, stack: Stack) -> None:
    settings = Settings.load(home=tmp_path, broker=stack.broker)
    with Stack.start(settings, progress=quiet) as running:
        with pytest.raises(StackError, match=rf"already runs on .*process {os.getpid()}.*HOURSTREAM_HOME"):
            Stack.start(settings, progress=quiet)
        with psycopg.connect(running.postgres_url) as connection:  # the refused start ended nothing
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert running.postgres_url != stack.postgres_url
        with pytest.raises(StackError, match="HOURSTREAM_BROKER"):
            running.kafka.kill()


def test_existing_servers_are_used_and_the_home_is_held_all_the_same(tmp_path: Path, stack: Stack) -> None:
    settings = Settings.load(home=tmp_path / "home", broker=stack.broker, postgres_url=stack.postgres_url)
    with Stack.start(settings) as used:
        assert (used.broker, used.postgres_url) == (stack.broker, stack.postgres_url)
        assert used.settings == settings
        with pytest.raises(StackError, match=rf"already runs on .*process {os.getpid()}"):
            Stack.start(settings)
        with Stack.start(settings, join=True) as joined:  # a command beside it holds nothing
            assert joined.broker == stack.broker
    assert {path.name for path in settings.home.iterdir()} <= {"stack.lock", "ports.json"}
    assert AdminClient({"bootstrap.servers": stack.broker}).list_topics(timeout=30).brokers


def test_the_password_is_private(tmp_path: Path, stack: Stack) -> None:
    with Stack.start(Settings.load(home=tmp_path, broker=stack.broker), progress=quiet) as running:
        file = tmp_path / "postgres" / "password"
        assert file.stat().st_mode & 0o777 == 0o600
        password = file.read_text("ascii")
        assert password not in repr(running.settings) + str(running.settings)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(running.postgres_url.replace(password, "guessed"))
    told = [path for path in tmp_path.rglob("*") if path.is_file() and path != file and "data" not in path.parts]
    assert not [path for path in told if password.encode() in path.read_bytes()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_root_may_keep_its_environment_in_a_closed_folder(
    tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in ("pgserver", "pgserver.libs"):
        shutil.copytree(Path(sysconfig.get_path("purelib")) / part, closed / part)
    monkeypatch.syspath_prepend(closed)
    with Stack.start(Settings.load(home=closed / "home", broker=stack.broker), progress=quiet) as running:
        programs = Path(psutil.Process(running.postgres.pid).cmdline()[0])
        with psycopg.connect(running.postgres_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert closed.stat().st_mode & 0o777 == 0o700
    assert closed not in programs.parents
    shutil.rmtree(programs.parents[3])


def test_an_ordinary_user_starts_it_too() -> None:
    code = """
        import os, sys, psycopg
        from pathlib import Path
        from devstack.stack import Stack
        from settings import Settings
        with Stack.start(Settings.load(home=sys.argv[1])) as stack, psycopg.connect(stack.postgres_url) as connection:
            owner = Path(f"/proc/{stack.postgres.pid}").stat().st_uid if sys.platform == "linux" else os.geteuid()
            print(os.geteuid(), owner, stack.broker, connection.execute("SELECT current_user").fetchone()[0])
    """
    user, folder = ordinary_user_with_home()
    try:
        cache = folder / "cache"
        shutil.copytree(Settings.load().cache_dir, cache)
        for path in (cache, *cache.rglob("*")):  # its own, as a cache is
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        environment = {"HOME": str(folder), "HOURSTREAM_CACHE": str(cache), "PATH": os.environ["PATH"]}
        environment["JAVA_TOOL_OPTIONS"] = os.environ["JAVA_TOOL_OPTIONS"]
        environment["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), sysconfig.get_path("purelib")])
        told = run_as(user, textwrap.dedent(code), [str(folder / "home")], environment)
        assert told.returncode == 0, told.stderr
        assert told.stdout.split()[:2] == [str(user.pw_uid)] * 2
        assert told.stdout.split()[3] == "hourstream"
    finally:
        shutil.rmtree(folder)


def ordinary_user_with_home() -> tuple[pwd.struct_passwd, Path]:
    """The user of this test, or `nobody` under root, with an empty folder of its own outside root's closed ones."""
    user = pwd.getpwuid(os.geteuid()) if os.geteuid() != 0 else pwd.getpwnam("nobody")
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())  # noqa: S607
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user, folder


def run_as(
    user: pwd.struct_passwd, code: str, arguments: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run Python code as that user, by an interpreter it may enter: this one, else the system's of the same version.

    Where root's own folders hold both, the user is given reach into closed folders, and nothing else.
    """
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    result = subprocess.CompletedProcess[str]([], 1)
    for python, reach in ((sys.executable, 0), (system, 0), (sys.executable, 1)):
        identity = (user.pw_uid, user.pw_gid, reach) if os.geteuid() == 0 else (-1, -1, 0)
        become = [sys.executable, "-I", launch.__file__, str(os.getpid()), "0", *map(str, identity), python, "-c"]
        tried = subprocess.run([*become, "import psycopg"], env=environment, capture_output=True, text=True)
        if tried.returncode == 0:
            command = [*become, code, *arguments]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd="/")
        result = tried
    return result
