"""A proxy for HTTP between a sink and its target, which loses, cuts, slows and garbles as a test says.

Requests and answers are read whole before they are harmed, so each fault is where it hurts: after the target has taken
the charges, and before the sink knows.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from devstack.ports import LOOPBACK, free_port
from tests.faults.loop_server import LoopServer
from tests.faults.proxy import reset

_HANG = 20.0  # seconds; whoever waits must have given up long before


@dataclass
class Weather:
    """How likely each fault of `FAULTS` is for a request; the rest of them pass."""

    chances: Mapping[str, float] = field(default_factory=dict)
    down: bool = False  # every connection is reset at once

    def draw(self, random: Random) -> str | None:
        """The fault of the next request."""
        drawn = random.random()
        for fault, chance in self.chances.items():
            if drawn < chance:
                return fault
            drawn -= chance
        return None


class HttpProxy(LoopServer):
    """Listens at `port` and hands requests on to the port `target`. Use as a context manager."""

    def __init__(self, target: int, random: Random) -> None:
        super().__init__(free_port())
        self._target, self._random = target, random
        self.weather = Weather()
        self.counts = Counter[str]()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    async def _end(self) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            while not self.weather.down and await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):  # one side is gone: so is the connection
            pass
        finally:
            reset(writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Carry one request and its answer; whether the connection is good for another."""
        request = await _message(reader)
        if self.weather.down:
            return False
        fault = self.weather.draw(self._random)
        self.counts[fault or "passed"] += 1
        if fault in _BEFORE:
            return await _BEFORE[fault](writer, self._random)
        if fault == "slow":
            await asyncio.sleep(self._random.uniform(0.05, 0.6))
        answer = await self._forwarded(request)
        if fault in _AFTER:
            writer.write(_AFTER[fault](answer, self._random))
            await writer.drain()
            if fault == "cut":  # an ordinary end, in the middle
                writer.write_eof()
                await asyncio.sleep(0.2)
            return fault == "garbled"
        if fault == "hang":
            await asyncio.sleep(_HANG)
            return False
        writer.write(answer)
        await writer.drain()
        return True

    async def _forwarded(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._target)
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader)
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A whole request or answer; its length is always said."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)


async def _lost(writer: asyncio.StreamWriter, random: Random) -> bool:
    return False


async def _busy(writer: asyncio.StreamWriter, random: Random) -> bool:
    asked = b"Retry-After: 1\r\n" if random.random() < 0.3 else b""
    writer.write(b"HTTP/1.1 503 Busy\r\n" + asked + b"Content-Length: 4\r\n\r\nbusy")
    await writer.drain()
    return True


async def _ignored(writer: asyncio.StreamWriter, random: Random) -> bool:
    await asyncio.sleep(_HANG)
    return False


def _half(answer: bytes, random: Random) -> bytes:
    return answer[: random.randrange(1, len(answer))]


def _garbled(answer: bytes, random: Random) -> bytes:
    """A complete answer whose JSON breaks off."""
    head, _, body = answer.partition(b"\r\n\r\n")
    kept = body[: random.randrange(len(body))] if body else body
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(kept), b"", kept])


_BEFORE: dict[str | None, Callable[[asyncio.StreamWriter, Random], Coroutine[Any, Any, bool]]] = {
    "lost": _lost,  # reset before the target has it
    "busy": _busy,  # 503
    "ignored": _ignored,  # the target never gets it, and nobody says so
}
_AFTER: dict[str | None, Callable[[bytes, Random], bytes]] = {
    "reset": _half,  # reset in the middle of the answer
    "cut": _half,  # the connection ends in the middle of the answer
    "garbled": _garbled,
}
FAULTS = (*(name for name in (*_BEFORE, *_AFTER) if name), "slow", "hang")
