"""The kinds of fault of the whole pipeline, each a function of it and a random."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import psutil

from tests.faults.full_disk import full_disk
from tests.faults.whole_pipeline import FULL_DISK, Kind, Pipeline

WORKERS = ("masters", "intake", "settle", "advisories", "erp", "billing", "lifecycle", "metrics", "warehouse")
BESIDE = ("console", "seal")
STATEFUL = ("masters", "intake", "settle", "advisories", "lifecycle", "metrics")


def kill(name: str, at: Pipeline, random: Random) -> None:
    """kill -9 of one process, here and there again while it starts."""
    at.up.kill(name)
    if random.random() < 0.3:
        time.sleep(random.uniform(0.5, 3))
        at.up.kill(name)


def kill_several(at: Pipeline, random: Random) -> None:
    """kill -9 of some workers at a time."""
    for name in random.sample(WORKERS, random.randint(2, len(WORKERS))):
        at.up.kill(name)


def kill_up(at: Pipeline, random: Random) -> None:
    """kill -9 of the supervisor, and the command typed again."""
    at.up.end(SIGKILL)
    time.sleep(random.uniform(0, 2))
    at.up.begin()


def reboot(at: Pipeline, random: Random) -> None:
    """An orderly stop of everything, and a start."""
    at.up.end(SIGTERM)
    time.sleep(random.uniform(0, 5))
    at.up.begin()


def power_cut(at: Pipeline, random: Random) -> None:
    """Everything is killed at once, both servers included, and started."""
    everything = [psutil.Process(at.up.pid), *at.up.descendants()]
    for process in everything:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    at.up.end(SIGKILL)
    time.sleep(random.uniform(0, 3))
    at.up.begin()


def away(name: str, shortest: float, longest: float, at: Pipeline, random: Random) -> None:
    """A server answers nothing for a while, its connections stay open, and it goes on."""
    with stopped([at.up.pid_of(name)]):
        time.sleep(random.uniform(shortest, longest))


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """These processes and all below them sleep during the block."""
    tree = [psutil.Process(pid) for pid in pids]
    tree += [child for process in tree for child in process.children(recursive=True)]
    _signal(tree, SIGSTOP)
    try:
        yield
    finally:
        _signal(tree, SIGCONT)


def _signal(processes: Sequence[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def wipe(at: Pipeline, random: Random) -> None:
    """kill -9 of a worker, and its state is deleted before it is back: it comes from the changelog alone."""
    name = random.choice([name for name in STATEFUL if (at.home / "state" / name).exists()])
    os.kill(at.up.pid, SIGSTOP)  # the supervisor is not to be quicker than we
    try:
        at.up.kill(name)
        time.sleep(0.2)
        shutil.rmtree(at.home / "state" / name)
    finally:
        os.kill(at.up.pid, SIGCONT)


def fill_disk(at: Pipeline, random: Random) -> None:
    """The disk of everything is full for a while; whatever that ends is back once it is freed."""
    with full_disk(at.home):
        time.sleep(random.uniform(5, 25))


def remove_logs(at: Pipeline, random: Random) -> None:
    """The folder of logs is removed, and a worker killed."""
    subprocess.run(["rm", "-rf", str(at.home / "logs")], check=True)  # noqa: S607
    at.up.kill(random.choice(WORKERS))


LONG: dict[str, Kind] = {
    "Kafka away 5 min": partial(away, "kafka", 300, 300),
    "PostgreSQL away 3 min": partial(away, "postgres", 180, 180),
}
KINDS: dict[str, Kind] = {
    **{f"kill -9 {name}": partial(kill, name) for name in (*WORKERS, *BESIDE, "kafka", "postgres")},
    "kill -9 of several workers": kill_several,
    "kill -9 up, started again": kill_up,
    "SIGTERM up, started again": reboot,
    "kill -9 of everything, started again": power_cut,
    "Kafka away 5 to 40 s": partial(away, "kafka", 5, 40),
    "PostgreSQL away 5 to 40 s": partial(away, "postgres", 5, 40),
    "kill -9, state deleted": wipe,
    "logs deleted, kill -9": remove_logs,
    FULL_DISK: fill_disk,
    **LONG,
}
