"""What the fault cycles work on: a broker behind two proxies, the masters worker, and settle workers that share.

Each worker has a home of its own and one proxy between it and the broker; a supervisor starts again what ends. The
second worker's state lies on a small disk of its own where this user may mount one.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from devstack.kafka import Front, Kafka
from devstack.ports import LOOPBACK
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.quiescence import wait_until_quiet
from settings import Settings
from tests.faults.flow import Faults, workers_at
from tests.faults.progress import Progress
from tests.faults.proxy import Proxy
from topics.catalogue import changelog_of
from topics.create import create_topics

PATIENCE = 150.0  # seconds within which a group that was struck must be at work again
CHANGELOG = changelog_of("settle", 1).name
DISK_MB = 768  # RocksDB claims log files of some 70 MB a partition ahead


class Stuck(AssertionError):
    """Something did not come about in time; the message says what, and how the workers' logs end."""


@dataclass(frozen=True, slots=True)
class Member:
    """A settle worker: its supervisor, its fault points, and the proxy on its way to the broker."""

    home: Path
    workers: Workers
    faults: Faults
    proxy: Proxy

    @property
    def pid(self) -> int:
        """Its present process."""
        return self.workers.process("settle").pid

    @property
    def state(self) -> Path:
        """The folder of its local state."""
        return self.home / "state"

    def held(self) -> set[int]:
        """Partitions it has restored and reads; none while it does not answer."""
        status = self.workers.status("settle")
        return {int(number) for number in status["partitions"]} if status else set()

    def log(self) -> str:
        """Everything its processes have written."""
        return (self.home / "logs" / "settle.log").read_text(errors="replace")


class Plant:
    """The running processes; see `plant`."""

    def __init__(self, home: Path, kafka: Kafka, settings: Settings, proxies: tuple[Proxy, Proxy]) -> None:
        self.home, self.kafka, self.settings, self.proxies = home, kafka, settings, proxies
        self.members: list[Member] = []
        self.masters: Workers
        self.progress: Progress
        self.disk_refused: str | None = None  # why the second worker has no disk of its own

    @property
    def broker(self) -> str:
        """The broker's own address, past every proxy."""
        return self.kafka.broker

    def workers(self, name: str, agent: str, proxy: Proxy) -> tuple[Workers, Faults]:
        """Workers with a home of that name, which reach the broker by way of the proxy."""
        given = {"home": self.home / name, "broker": f"{LOOPBACK}:{proxy.port}"}
        return workers_at(self.settings.model_copy(update=given), (agent,))

    @contextmanager
    def member(self, name: str, proxy: Proxy) -> Iterator[Member]:
        """A settle worker, stopped in order at the end."""
        workers, faults = self.workers(name, "settle", proxy)
        member = Member(self.home / name, workers, faults, proxy)
        with workers:
            self.members.append(member)
            try:
                yield member
            finally:
                self.members.remove(member)

    def await_that(self, happened: Callable[[], bool], otherwise: str, every: float = 0.1) -> None:
        """Wait until something is so, looking `every` so many seconds. Raises `Stuck`."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > deadline:
                tails = [f"--- {m.home.name}\n" + "\n".join(m.log().splitlines()[-25:]) for m in self.members]
                raise Stuck("\n".join([f"{otherwise} within {PATIENCE:g} s; logs end:", *tails]))
            time.sleep(every)

    def shared(self) -> bool:
        """Whether each partition is held by one member, and not all by the same. (Faust keeps a third one spare.)"""
        held = [member.held() for member in self.members]
        numbers = sorted(number for each in held for number in each)
        return sum(map(bool, held)) > 1 and numbers == list(range(self.settings.partitions))

    def recover(self) -> None:
        """Until the partitions are shared and each has committed something since."""
        self._share_and_progress()
        while not self.shared():  # here and there another rebalance comes on the heels of the first
            self._share_and_progress()

    def _share_and_progress(self) -> None:
        self.await_that(self.shared, "the partitions were not shared again")
        since = time.monotonic()
        self.await_that(lambda: not self.progress.still(since), "a partition stands still")

    def come_to_rest(self) -> None:
        """Until everything published is settled."""
        wait_until_quiet(_Together(self), self.broker, seconds=PATIENCE)  # type: ignore[arg-type]

    def totals(self) -> dict[tuple[str, ...], int]:
        """The live running totals of settle, over its members."""
        return _Together(self).totals()


class _Together:
    """All workers as one of each name, for `wait_until_quiet`."""

    names = ("masters", "settle")

    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    def check(self) -> None:
        """Ending again and again is what these workers are made to do; that they come to rest is what counts."""

    def status(self, name: str) -> dict[str, Any] | None:
        if name == "masters":
            return self._plant.masters.status(name)
        answers = [member.workers.status(name) for member in self._plant.members]
        partitions: dict[str, Any] = {}
        for answer in answers:
            if answer is None or partitions.keys() & answer["partitions"].keys():
                return None  # one of them does not know yet that another has its partition
            partitions |= answer["partitions"]
        follows = {topic: min(a["follows"][topic] for a in answers if a) for topic in ("masters.current",)}
        return {"partitions": partitions, "follows": follows, "totals": [t for a in answers if a for t in a["totals"]]}

    def totals(self) -> dict[tuple[str, ...], int]:
        found: dict[tuple[str, ...], int] = {}
        for member in self._plant.members:
            status = member.workers.status("settle")
            assert status is not None, f"{member.home.name} does not answer"
            for *labels, total in status["totals"]:
                found[tuple(labels)] = found.get(tuple(labels), 0) + total
        return found


@contextmanager
def plant(home: Path, session_seconds: float) -> Iterator[Plant]:
    """Everything started in `home`, and ended with the block; local state and Kafka's data stay there."""
    given = Settings.load(
        home=home, broker=None, session_seconds=session_seconds, batch_seconds=0.05, batch_records=200
    )
    with ExitStack() as ends:
        proxies = (ends.enter_context(Proxy()), ends.enter_context(Proxy()))
        fronts = [Front(proxy.target, proxy.port) for proxy in proxies]
        kafka = Kafka(home / "kafka", given, print, None, fronts=fronts)
        ends.callback(kafka.stop)
        kafka.start()
        create_topics(AdminClient({"bootstrap.servers": kafka.broker}), every_topic(given.partitions), 1)
        made = Plant(home, kafka, given, proxies)
        made.disk_refused = ends.enter_context(small_disk(home / "second" / "state"))
        made.masters, _ = made.workers("masters", "masters", proxies[0])
        ends.enter_context(made.masters)
        for name, proxy in zip(("first", "second"), proxies, strict=True):
            ends.enter_context(made.member(name, proxy))
        made.progress = Progress(kafka.broker, CHANGELOG, given.partitions)
        ends.callback(made.progress.stop)
        yield made


@contextmanager
def small_disk(folder: Path, megabytes: int = DISK_MB, keep: bool = True) -> Iterator[str | None]:
    """A disk of its own mounted at `folder`, or the reason why not. What it held stays in the folder with `keep`."""
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "hourstream-faults", str(folder)]
    try:
        subprocess.run(["mount", *options], check=True, capture_output=True, text=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError) as error:
        yield f"{error}: {getattr(error, 'stderr', '')}".strip()
        return
    kept = folder.with_name("kept")
    try:
        yield None
    finally:
        try:
            if keep:
                shutil.copytree(folder, kept)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607
        if keep:
            folder.rmdir()
            kept.rename(folder)
