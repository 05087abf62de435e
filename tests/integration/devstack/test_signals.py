"""Every command that goes on until it is told to stop ends in order: by SIGTERM and Ctrl-C, in the background too."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from cli.status import supervised
from devstack.ports import free_port
from devstack.stack import Stack
from operations.all_topics import every_topic
from settings import CHECKOUT, Settings
from tests.faults.up import COMMAND
from topics.create import create_topics

# By name: what is typed, and the file below the home or the text on standard output that shows it at work.
COMMANDS = {
    "console": (("console", "--without-login", "--port", str(free_port())), "Ctrl-C stops it"),
    "receive": (("receive", "--source", "jira", "--secret-file", "SECRET"), "listening"),
    "watch": (("watch", "FOLDER", "--source", "harvest"), "watching"),
    "seal": (("seal", "--every", "5"), Path("run", "sealed")),
    "worker": (("worker", "masters", "--status-file", "STATUS"), Path("status")),
}


@pytest.fixture(scope="module")
def environment(stack: Stack, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Of commands beside servers that are elsewhere."""
    home = tmp_path_factory.mktemp("signals")
    settings = Settings.load(home=home, broker=stack.broker, postgres_url=database, partitions=1)
    create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(settings.partitions), 1)
    (home / "folder").mkdir()
    (home / "secret").write_text("a secret of some length")
    yield {**os.environ, **settings.environment(), "PYTHONUNBUFFERED": "1"}
    assert supervised(home) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_in_order_when_it_is_told_to(
    environment: Mapping[str, str], command: str, number: signal.Signals
) -> None:
    home = Path(environment["HOURSTREAM_HOME"])
    places = {"SECRET": home / "secret", "FOLDER": home / "folder", "STATUS": home / "status"}
    typed, sign = COMMANDS[command]
    for file in (home / "status", home / "run" / "sealed"):
        file.unlink(missing_ok=True)
    output = home / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [*COMMAND, *(str(places.get(each, each)) for each in typed)],
            cwd=CHECKOUT,
            env=dict(environment),
            stdout=out,
            stderr=out,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell starts what has an `&`
        )
    with process:
        try:
            deadline = time.monotonic() + 90
            while not ((home / sign).exists() if isinstance(sign, Path) else sign in output.read_text()):
                assert process.poll() is None, output.read_text()
                assert time.monotonic() < deadline, output.read_text()
                time.sleep(0.1)
            process.send_signal(number)
            code = process.wait(30)
        finally:
            process.kill()
    assert "Traceback" not in output.read_text()
    assert code in (0, 1, 128 + number), output.read_text()
