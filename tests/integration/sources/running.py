"""A broker, the workers that take files in, and a person who types commands."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from confluent_kafka.admin import AdminClient

from cli.main import main
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from schemas.codec import decode_for
from settings import CHECKOUT, Settings
from streaming.batch import Record
from streaming.topic_reader import read_all
from topics.create import create_topics

SAMPLES = CHECKOUT / "sources"


class Installation:
    """A running stack."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def hourstream(self, *arguments: str) -> Result:
        """Type a command."""
        return CliRunner().invoke(main, arguments, env=self.settings.environment())

    def in_a_process(
        self, *arguments: str, more: Mapping[str, str] | None = None, checkout: Path = CHECKOUT
    ) -> subprocess.CompletedProcess[str]:
        """The same, in a process of its own: one that may be killed, or that is of another checkout."""
        with self.started(*arguments, more=more, checkout=checkout) as process:
            out, _ = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, out)

    def started(
        self, *arguments: str, more: Mapping[str, str] | None = None, checkout: Path = CHECKOUT
    ) -> "subprocess.Popen[str]":
        """The same, without waiting for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            env={**self.settings.environment(), "PATH": "/usr/bin:/bin", **(more or {})},
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def records(self, topic: str) -> list[Record]:
        """Every committed record."""
        return list(read_all(self.settings.bootstrap, [topic]))

    def values(self, topic: str) -> list[dict[str, Any]]:
        """The same, decoded."""
        return [decode_for(topic, record.value or b"") for record in self.records(topic)]

    def waits_for(self, what: str, found: Callable[[], bool]) -> None:
        """Return when it is so."""
        deadline = time.monotonic() + 240
        while not found():
            assert time.monotonic() < deadline, f"still no {what}"
            time.sleep(0.2)


@contextmanager
def installation(home: Path, *workers: str) -> Iterator[Installation]:
    """A stack of its own with these workers."""
    with Stack.start(Settings.load(home=home, partitions=1)) as stack:
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(1), 1)
        with Workers(stack.settings, workers, stack.settings.environment()):
            yield Installation(stack.settings)
