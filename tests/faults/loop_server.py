"""A server of the tests on an event loop in a thread of its own: what the proxies have in common."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from devstack.ports import LOOPBACK

T = TypeVar("T")


class LoopServer(ABC):
    """Listens at `port` while it is entered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"loop-{port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._ask(asyncio.start_server(self._connected, LOOPBACK, self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._ask(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of work on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    @abstractmethod
    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""

    @abstractmethod
    async def _end(self) -> None:
        """Close what is open."""
