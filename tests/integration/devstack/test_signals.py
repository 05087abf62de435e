"""Every command that goes on until it is told to stop ends in order: by SIGTERM and Ctrl-C, in the background too."""

import os
import signal
import subprocess
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

COMMANDS = {
    "console": ("console", "--without-login", "--port", str(free_port())),
    "receive": ("receive", "--source", "jira", "--secret-file", "SECRET"),
    "watch": ("watch", "FOLDER", "--source", "harvest"),
    "seal": ("seal", "--every", "5"),
    "worker": ("worker", "masters"),
}


@pytest.fixture(scope="module")
def environment(stack: Stack, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Of commands beside servers that are elsewhere."""
    home = tmp_path_factory.mktemp("signals")
    settings = Settings.load(home=home, broker=stack.broker, postgres_url=database)
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
    places = {"SECRET": str(home / "secret"), "FOLDER": str(home / "folder")}
    arguments = [places.get(each, each) for each in COMMANDS[command]]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=CHECKOUT,
        env=dict(environment),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell starts what has an `&`
    ) as process:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(6)
            process.send_signal(number)
            code = process.wait(20)
            said = process.communicate()
        finally:
            process.kill()
    assert "Traceback" not in said[1], said[1]
    assert code in (0, 1, 128 + number), said
