"""Apache Kafka on loopback: one KRaft node, broker and controller in one process."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from devstack.child import Child
from devstack.errors import StackError, TryAgain
from devstack.jars import classpath
from devstack.java import find_java
from devstack.ports import LOOPBACK, free_port, port_like
from devstack.server import EmbeddedServer
from settings import Settings

_ATTEMPTS = 5
# A broker which was killed may not register again before its old session is over: keep that short.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=CONTROLLER://{host}:{controller},{listeners}
advertised.listeners={advertised}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocols}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=33554432
"""
_LOGGING = """\
status=error
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=${sys:hourstream.log}
appender.file.filePattern=${sys:hourstream.log}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=[%d] %p %m (%c)%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=3
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
logger.kafka.name=kafka
logger.kafka.level=info
"""


@dataclass(frozen=True, slots=True)
class Front:
    """A further loopback port of the broker, which tells its clients to use the port `advertised`.

    For a program between client and broker, such as a proxy: clients follow the advertised address.
    """

    port: int
    advertised: int


class Kafka(EmbeddedServer):
    """The embedded broker. Data, settings and logs are under `folder`; once started it keeps its port."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        progress: Callable[[str], None],
        port: int | None,
        more: Mapping[str, str] | None = None,
        fronts: Sequence[Front] = (),
        probe: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(Child("Kafka", folder / "kafka.pid", folder / "kafka.out"))
        self._folder = folder
        self._more = dict(more or {})  # properties beside the usual ones, or in their place
        self._fronts = fronts
        self._probe = dict(probe or {})  # how a client must present itself, where `more` asks for it
        self._settings = settings
        self._progress = progress
        self._preferred = port
        self._java = Path()
        self._classpath = ""
        self._log = folder / "kafka.log"

    @property
    def broker(self) -> str:
        """Address for clients, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def last_line(self) -> str:
        """The last line of its log."""
        return self._child.last_line(self._log)

    @property
    def pid(self) -> int | None:
        """Process id of the running broker."""
        return self._child.pid

    def adopt(self, port: int) -> None:
        """Take the server that another process runs here, at `port`; it is not this one's to stop."""
        self._port = port

    def end_leftover(self) -> bool:
        """End the broker a killed run left behind; true if there was one."""
        return self._child.end_leftover(signal.SIGTERM, self._settings.stop_seconds)

    def start(self) -> None:
        """Start the broker and wait until it answers. Raises `StackError` with the end of its log."""
        self.begin()
        self.wait_ready()

    def begin(self) -> None:
        """Start the broker's process; `wait_ready` must follow. Other servers can be started between the two.

        A running process is left as it is: it may need longer than a start allows to read its logs.
        """
        if self._child.alive:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # records of clients and pay
        self._java = find_java()
        jars = classpath(self._settings.cache_dir, self._progress)
        self._classpath = ":".join(map(str, jars))
        (self._folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        self._spawn(self._port or port_like(self._preferred))

    def wait_ready(self) -> None:
        """Wait until the broker answers, on another port where the chosen one was taken meanwhile."""
        for attempt in range(_ATTEMPTS):
            try:
                self._wait()
            except TryAgain:
                self._child.stop(signal.SIGKILL, self._settings.stop_seconds)
                if attempt == _ATTEMPTS - 1:
                    raise
                # Clients already know the port of a broker which is started again: wait for it rather than change it.
                time.sleep(0.5 * attempt)
                self._spawn(self._port or free_port())
            else:
                self._port = self._trying
                return

    def stop(self) -> None:
        """Stop the broker in order; killed when it takes longer than `stop_seconds`."""
        self._child.stop(signal.SIGTERM, self._settings.stop_seconds)

    def kill(self) -> None:
        """End the broker as a power cut would; `start` brings it back on the same port and data."""
        self._child.kill()

    def _spawn(self, port: int) -> None:
        self._trying = port
        if not (self._folder / "data").exists():
            self._format()
        properties = self._write_properties("server.properties", "data", port)
        if self._log.exists():  # of the run before, perhaps a killed one
            self._log.replace(self._folder / "kafka.previous.log")
        heap = self._settings.kafka_heap_mb
        command = [*self._jvm(), "-Xms256m", f"-Xmx{heap}m", "-XX:+ExitOnOutOfMemoryError", "kafka.Kafka"]
        self._child.spawn(
            [*command, str(properties)], cwd=self._folder, mark=str(properties), death_signal=signal.SIGTERM
        )

    def _write_properties(self, name: str, data: str, port: int) -> Path:
        controller = free_port(avoid=frozenset({port, *(front.port for front in self._fronts)}))
        named = {"PLAINTEXT": Front(port, port)} | {f"FRONT{n}": front for n, front in enumerate(self._fronts)}
        properties = _PROPERTIES.format(
            host=LOOPBACK,
            controller=controller,
            data=data,
            listeners=",".join(f"{name}://{LOOPBACK}:{front.port}" for name, front in named.items()),
            advertised=",".join(f"{name}://{LOOPBACK}:{front.advertised}" for name, front in named.items()),
            protocols=",".join(f"{name}:PLAINTEXT" for name in named),
        )
        path = self._folder / name
        more = "".join(f"{key}={value}\n" for key, value in self._more.items())  # of a key given twice the last counts
        path.write_text(properties + more, encoding="utf-8")
        return path

    def _jvm(self) -> Iterator[str]:
        yield str(self._java)
        yield from ("-cp", self._classpath, "-Djava.awt.headless=true", f"-Dhourstream.log={self._log}")
        yield f"-Dlog4j2.configurationFile={(self._folder / 'log4j2.properties').as_uri()}"

    def _format(self) -> None:
        """Prepare the data folder beside its final place and move it there whole: a kill leaves no half of one."""
        fresh = self._folder / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        properties = self._write_properties("format.properties", fresh.name, self._trying)
        tool = [*self._jvm(), "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool"]
        options = ["format", "--cluster-id", "aG91cnN0cmVhbS1lbWJlZA", "--config", str(properties)]
        try:
            subprocess.run([*tool, *options], cwd=self._folder, capture_output=True, text=True, check=True, timeout=120)
        except subprocess.CalledProcessError as error:
            raise StackError(f"Kafka cannot prepare its data folder:\n{error.stdout}{error.stderr}") from None
        except subprocess.TimeoutExpired:
            raise StackError(
                "Kafka took more than 120 s to prepare its data folder; is the machine overloaded?"
            ) from None
        fresh.rename(self._folder / "data")

    def _wait(self) -> None:
        deadline = time.monotonic() + self._settings.start_seconds
        client = AdminClient(
            {
                "bootstrap.servers": f"{LOOPBACK}:{self._trying}",
                "log_level": 0,
                "reconnect.backoff.max.ms": 200,
                **self._probe,
            }
        )
        while time.monotonic() < deadline:
            if not self._child.alive:
                raise self._failure("ended while starting")
            try:
                if client.list_topics(timeout=0.5).brokers:
                    return
            except KafkaException:
                time.sleep(0.05)
        raise self._failure(f"did not answer within {self._settings.start_seconds:g} s")

    def _failure(self, what: str) -> StackError:
        words = self._child.last_words(self._log)
        if "Address already in use" in words or "BindException" in words:
            return TryAgain(f"port {self._trying} for the embedded Kafka is taken by another program")
        return StackError(f"The embedded Kafka {what}. The end of {self._log}:\n{words}")
