"""Hangs, planted in one layer each: nothing ends and no error is raised."""

import asyncio
import re
import time
from collections.abc import Callable

from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.tables.recovery import Recovery

from streaming.partitions import Partitions
from streaming.process import BatchProcess
from streaming.reader import PartitionReader
from streaming.transactions import TransactionalCommitter

FOREVER = 3600.0


def _sleep(*_: object) -> None:
    time.sleep(FOREVER)


async def _wait(*_: object, **__: object) -> None:
    await asyncio.sleep(FOREVER)


async def _block(*_: object) -> None:
    time.sleep(FOREVER)


def _hold_the_interpreter(*_: object) -> None:
    """The regular expression never comes to its end, and lets no other thread run."""
    re.match(r"(a+)+$", "a" * 64 + "b")


async def _lose(*_: object) -> None:
    """A batch is taken, and nothing done about it."""


def _set(owner: type, name: str, hang: Callable[..., object]) -> Callable[[], None]:
    return lambda: setattr(owner, name, hang)


HANGS: dict[str, Callable[[], None]] = {
    "decide": _set(TransactionalCommitter, "_process", _sleep),
    "commit": _set(TransactionalCommitter, "_transaction", _sleep),
    "fence": _set(TransactionalCommitter, "fence", _sleep),
    "restore": _set(TransactionalCommitter, "_restore", _sleep),
    "read": _set(PartitionReader, "read", lambda *_: 0),
    "recovery": _set(Recovery, "_resume_streams", _wait),
    "join": _set(GroupCoordinator, "ensure_active_group", _wait),
    "assign": _set(Partitions, "assign", lambda *_: None),
    "revoke": _set(Partitions, "revoke", _wait),
    "lost-batch": _set(Partitions, "run", _lose),
    "loop": _set(BatchProcess, "run", _block),
    "interpreter": _set(TransactionalCommitter, "_process", _hold_the_interpreter),
}
