"""The kinds of fault, each a function of the plant and a random: it strikes, and heals what would not heal alone."""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from tests.faults.plant import Member, Plant

Kind = Callable[[Plant, Random], None]
POINTS = ("decided", "flushed", "committed", "stored")  # of a commit; see streaming.transactions


def _end(plant: Plant, member: Member, signal: int = SIGKILL) -> None:
    """Send the signal, and wait until the process has ended by it."""
    pid, ended = member.pid, len(member.workers.endings("settle"))
    os.kill(pid, signal)
    plant.await_that(lambda: len(member.workers.endings("settle")) > ended, f"process {pid} did not end")


def _kill(member: Member) -> None:
    """SIGKILL, unless its process has ended of itself meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(member.pid, SIGKILL)


def _one(plant: Plant, random: Random) -> tuple[Member, Member]:
    one, other = random.sample(plant.members, 2)
    return one, other


def kill_one(plant: Plant, random: Random) -> None:
    _end(plant, _one(plant, random)[0])


def kill_both(plant: Plant, random: Random) -> None:
    for member in plant.members:
        _kill(member)


def kill_during_takeover(plant: Plant, random: Random) -> None:
    """One is gone past its session; the other dies while it takes the partitions over."""
    one, other = _one(plant, random)
    seen = len(other.log())
    with asleep(one):  # killed, it would be back within its session and keep its partitions
        plant.await_that(lambda: _REVOKED in other.log()[seen:], "nobody takes the sleeper's place", every=0.02)
        time.sleep(random.uniform(0, 0.6))
        _end(plant, other)
        _end(plant, one)


_REVOKED = "Revoking previously assigned partitions"  # what Faust logs when a member learns that the group has changed


@contextmanager
def asleep(member: Member) -> Iterator[None]:
    """Its process sleeps during the block."""
    pid = member.pid
    os.kill(pid, SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, SIGCONT)


def freeze(plant: Plant, random: Random) -> None:
    """One sleeps past its session, here and there inside its commit, and wakes when another has its partitions."""
    one, other = _one(plant, random)
    if random.random() < 0.5:
        one.faults.arm("settle:flushed", SIGSTOP)
        pid = one.faults.wait("settle:flushed")
    else:
        pid = one.pid
        os.kill(pid, SIGSTOP)
    try:
        plant.await_that(lambda: len(other.held()) == plant.settings.partitions, "the sleeper was not replaced")
        time.sleep(random.uniform(0, 1))
    finally:
        os.kill(pid, SIGCONT)
    time.sleep(1)  # it must have had the time to do harm


def kill_and_wipe(plant: Plant, random: Random) -> None:
    """All local state of one is deleted: it comes back from the changelog alone."""
    one, _ = _one(plant, random)
    _end(plant, one)
    for each in list(one.state.iterdir()):
        shutil.rmtree(each)


def kill_inside_commit(plant: Plant, random: Random) -> None:
    """Struck before a transaction, inside it, before the local write that follows it, and after that."""
    for point in random.sample(POINTS, 2):
        one, _ = _one(plant, random)
        one.faults.arm(f"settle:{point}")
        one.faults.wait(f"settle:{point}")
        time.sleep(random.uniform(0, 1))


def restart(plant: Plant, random: Random) -> None:
    _end(plant, _one(plant, random)[0], SIGTERM)


def add_and_remove(plant: Plant, random: Random) -> None:
    """A third worker joins, takes over from one that sleeps past its session, and leaves; or is killed instead."""
    with plant.member("third", random.choice(plant.proxies)) as third:
        plant.await_that(lambda: third.workers.status("settle") is not None, "the third worker did not start")
        with asleep(plant.members[random.randrange(2)]):
            plant.await_that(lambda: bool(third.held()), "the third worker got nothing to do")
        plant.recover()
        if random.random() < 0.5:
            _kill(third)


def restart_broker(plant: Plant, random: Random) -> None:
    plant.kafka.stop()
    time.sleep(random.uniform(0, 3))
    plant.kafka.start()


def kill_broker(plant: Plant, random: Random) -> None:
    plant.kafka.kill()
    time.sleep(random.uniform(0, 3))
    plant.kafka.start()


def fill_disk(plant: Plant, random: Random) -> None:
    """The disk with the second worker's state is full for some seconds; it must have met that before it is freed."""
    second = next(member for member in plant.members if member.home.name == "second")
    met = second.log().count(_NO_SPACE)
    ballast = second.state / "ballast"
    try:
        _fill(ballast)
        until = time.monotonic() + random.uniform(1, 3)
        while time.monotonic() < until and second.log().count(_NO_SPACE) == met:
            time.sleep(0.1)
        if second.log().count(_NO_SPACE) == met:  # what RocksDB had claimed ahead was enough so far
            _kill(second)
            time.sleep(0.3)
            _fill(ballast)
        plant.await_that(lambda: second.log().count(_NO_SPACE) > met, "the full disk was not noticed")
        time.sleep(random.uniform(0, 2))
    finally:
        ballast.unlink(missing_ok=True)


_NO_SPACE = os.strerror(errno.ENOSPC)


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


def drop_connections(plant: Plant, random: Random) -> None:
    """Every connection of one worker, or of both, is reset some times, some in the middle of a message."""
    proxies = random.choice([plant.proxies, plant.proxies[:1], plant.proxies[1:]])
    for _ in range(random.randint(2, 6)):
        for proxy in proxies:
            proxy.cut()
        time.sleep(random.uniform(0.05, 0.8))


def slow_connections(plant: Plant, random: Random) -> None:
    """Everything arrives late for some seconds."""
    for proxy in plant.proxies:
        proxy.latency = random.uniform(0.02, 0.3)
    time.sleep(random.uniform(2, 5))
    for proxy in plant.proxies:
        proxy.flow()


def stall_connections(plant: Plant, random: Random) -> None:
    """One worker, or both, hears nothing for a while, here and there past the session; all arrives afterwards."""
    proxies = random.choice([plant.proxies, plant.proxies[:1], plant.proxies[1:]])
    for proxy in proxies:
        proxy.stall()
    time.sleep(random.uniform(2, plant.settings.session_seconds + 4))
    for proxy in proxies:
        proxy.flow()


KINDS: dict[str, Kind] = {
    "kill -9 of one": kill_one,
    "kill -9 of both": kill_both,
    "kill -9 during takeover": kill_during_takeover,
    "SIGSTOP past session, SIGCONT": freeze,
    "kill -9, state deleted": kill_and_wipe,
    "kill -9 inside the commit": kill_inside_commit,
    "SIGTERM": restart,
    "worker added and removed": add_and_remove,
    "broker stopped and started": restart_broker,
    "broker kill -9 and started": kill_broker,
    "disk full": fill_disk,
    "connections dropped": drop_connections,
    "connections slowed": slow_connections,
    "connections stalled": stall_connections,
}
