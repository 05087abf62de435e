"""Two subjects of one scenario, each a process of its own: Faust as it comes, and this project's plane under Faust."""

import copy
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGKILL, Signals

import psutil
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from devstack.ports import free_port
from schemas.codec import decode_for
from settings import CHECKOUT
from streaming.dead_letters import DEAD_LETTERS
from streaming.reader import reader_config
from streaming.topic_reader import read_all
from topics.catalogue import TOPICS
from topics.create import create_topics

PATIENCE = 60.0
END = b"end"  # published last: once its output is there, all others must be


class Subject:
    """One app of `kind` ("stock" or "hourstream") with topics, consumer group and state of its own."""

    def __init__(self, kind: str, hole: str, broker: str, home: Path) -> None:
        self.kind, self.hole, self.broker, self.home = kind, hole, broker, home
        self.name = f"{hole.replace('_', '-')}-{kind}"
        self.source, self.output, self.changelog = (f"{self.name}.{end}" for end in ("in", "out", "changelog"))
        self.group = self.name if kind == "stock" else f"hourstream-{self.name}"
        self.port = free_port()
        self.admin = AdminClient({"bootstrap.servers": broker})
        self.replication = 1
        self.lives = 0
        self.endings: list[int] = []
        self._process: subprocess.Popen[str] | None = None
        self._environment: dict[str, str] = {}
        home.mkdir(parents=True, exist_ok=True)

    def rival(self) -> "Subject":
        """Another worker of the same app, on a machine of its own."""
        other = copy.copy(self)
        other.home, other.lives, other.endings, other.port = self.home / "rival", 1, [], free_port()
        other._process, other._environment = None, dict(self._environment)
        other.home.mkdir()
        return other

    def strike(self, point: str, signal: Signals = SIGKILL) -> dict[str, str]:
        """The environment of a plane with one fault at a point of its commit (see `common.fault_injection`)."""
        faults = self.home / "faults"
        faults.mkdir()
        (faults / f"{self.name}:{point}").write_text(signal.name)
        return {"HOURSTREAM_FAULTS": str(faults)}

    def topics(self, counts: dict[str, int] | None = None, partitions: int = 1, **config: str) -> None:
        """Make source, output (with `config`) and changelog topics; `counts`: more topics and their partitions."""
        wanted = [
            NewTopic(self.source, partitions, self.replication),
            NewTopic(
                self.output, partitions, self.replication, config={k.replace("_", "."): v for k, v in config.items()}
            ),
            NewTopic(self.changelog, partitions, self.replication, config={"cleanup.policy": "compact"}),
            *(NewTopic(topic, count, 1) for topic, count in (counts or {}).items()),
        ]
        create_topics(self.admin, [TOPICS[DEAD_LETTERS]], self.replication)
        for made in self.admin.create_topics(wanted).values():
            made.result(30)

    def set_aside(self) -> list[bytes]:
        """The values of its records that are on dead.letters."""
        letters = (decode_for(DEAD_LETTERS, record.value or b"") for record in read_all(self.broker, [DEAD_LETTERS]))
        return [bytes(letter["value"]) for letter in letters if letter["topic"] == self.source]

    def publish(self, *values: bytes, topic: str | None = None, partition: int = 0) -> None:
        """Acknowledged when this returns."""
        producer = Producer({"bootstrap.servers": self.broker})
        for value in values:
            producer.produce(topic or self.source, value, partition=partition)
        assert producer.flush(30) == 0

    def start(self, **environment: str) -> "Subject":
        """The app's next life; the variables stay for all lives that follow."""
        self.lives += 1
        self._environment |= environment
        module = f"tests.faults.faust_holes.{'stock' if self.kind == 'stock' else 'plane'}"
        given = {
            "HOLE_BROKER": self.broker, "HOLE_NAME": self.name, "HOLE_HOME": str(self.home),
            "HOLE_LIFE": str(self.lives), "HOLE_PORT": str(self.port),
        }  # fmt: skip
        with (self.home / f"life-{self.lives}.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, self.hole], env={**os.environ, **given, **self._environment},
                cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE if self.hole == "flush" else log,
                stderr=log, text=True,
            )  # fmt: skip
        return self

    @property
    def process(self) -> subprocess.Popen[str]:
        """Its present process."""
        assert self._process is not None
        return self._process

    def said(self, line: str) -> None:
        """Wait until a process with pipes says a line."""
        assert self.process.stdout
        if (heard := self.process.stdout.readline().strip()) != line:
            raise RuntimeError(f"said {heard!r}: {self.log()}")

    def say(self, line: str) -> None:
        """A line for a process with pipes."""
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ended(self) -> bool:
        """Whether its present process has ended."""
        return self.process.poll() is not None

    def frozen(self) -> bool:
        """Whether its present process was stopped by a signal."""
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    def kill(self) -> None:
        """End its process as a power cut would."""
        if self._process is not None:
            self._process.send_signal(SIGKILL)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()

    def until(self, happened: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Wait for something, starting the process again when it ends, as a supervisor does; False: it did not come."""
        deadline = time.monotonic() + seconds
        while not happened():
            if self.ended():
                self.endings.append(self.process.returncode)
                self.kill()
                self.start()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def wait(self, happened: Callable[[], bool], otherwise: str) -> None:
        """Like `until`, for what every subject comes to: no assertion, which the stock one might be known to fail."""
        if not self.until(happened):
            raise TimeoutError(f"{otherwise}; its last log:\n{self.log()[-3000:]}")

    def outputs(self) -> list[bytes]:
        """All committed outputs."""
        return read(self.broker, self.output)

    def finish(self) -> list[bytes]:
        """Publish the last record, wait for its output, and return all."""
        self.publish(END)
        self.wait(lambda: END in self.outputs(), "the last record gave no output")
        return self.outputs()

    def committed(self, partition: int = 0) -> int:
        """The group's offset of the source: what a restart of a stock app skips."""
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": self.group})
        (at,) = consumer.committed([TopicPartition(self.source, partition)], 10)
        consumer.close()
        return max(at.offset, 0)

    def members(self) -> int:
        """How many consumers its group has; 0 while a fresh broker has no coordinator for it yet."""
        asked = self.admin.describe_consumer_groups([self.group], request_timeout=3)[self.group]
        try:
            return len(asked.result(30).members)
        except KafkaException:
            return 0

    def page(self, path: str) -> int | None:
        """Status of its web page, None while nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def log(self) -> str:
        """What its present life has said."""
        return (self.home / f"life-{self.lives}.log").read_text(errors="replace")


def read(broker: str, topic: str) -> list[bytes]:
    """The committed values of `topic`, partition by partition."""
    consumer = Consumer(reader_config(broker, "holes-read"))
    numbers = consumer.list_topics(topic, 10).topics[topic].partitions
    open_ends, values = set(numbers), []
    consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
    while open_ends:
        for message in consumer.consume(1000, 0.2):
            error = message.error()
            if error is None:
                values.append(message.value())
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                open_ends.discard(message.partition())
    consumer.close()
    return values


def firsts(values: Sequence[bytes]) -> set[bytes]:
    """The records that outputs came of, whatever was appended to them."""
    return {value if value == END else value[:1] for value in values}
