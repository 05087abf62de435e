"""A TCP proxy between some clients and one port of the broker, which a test tells to cut, to slow or to stall.

All connections share one event loop in a thread of its own; what a test asks for holds for those that are open now and,
of latency and stall, for those to come.
"""

import asyncio
import socket
import struct

from devstack.ports import LOOPBACK, free_port
from tests.faults.loop_server import LoopServer

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST at once, whatever is still to be sent
_CHUNK = 1 << 16


class Proxy(LoopServer):
    """Listens at `port` and hands everything on to `target`. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(free_port())
        self.target = free_port()
        self.latency = 0.0  # seconds that each piece is held up
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._cutting = 0  # connections that are to break in the middle of their next piece
        self._refusing = False
        self._flowing = asyncio.Event()
        self._flowing.set()

    def cut(self) -> int:
        """Reset every open connection, each other one only in the middle of what it carries next; returns how many."""
        return self._ask(self._cut())

    def refuse(self) -> None:
        """Reset every connection, also those to come, until `flow`: the broker's process is gone."""
        self._refusing = True
        self._ask(self._reset_all())

    def stall(self) -> None:
        """Carry nothing, and keep every connection open, until `flow`."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        """End a stall, a latency and a refusal."""
        self.latency, self._refusing = 0.0, False
        self._loop.call_soon_threadsafe(self._flowing.set)

    async def _reset_all(self) -> None:
        for writer in list(self._open):
            reset(writer)

    async def _cut(self) -> int:
        writers = list(self._open)
        self._cutting = len(writers) // 4
        for writer in writers[::2]:
            reset(writer)
        return len(writers)

    async def _end(self) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        for writer in list(self._open):
            reset(writer)
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            reset(writer)
            return
        try:
            onward = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:  # the broker is down
            reset(writer)
            return
        for source, sink, back in ((reader, onward[1], writer), (onward[0], writer, onward[1])):
            self._open.add(sink)
            pump = asyncio.ensure_future(self._pump(source, sink, back))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(_CHUNK):
                await self._flowing.wait()
                if self.latency:
                    await asyncio.sleep(self.latency)
                if self._cutting > 0:
                    self._cutting -= 1
                    sink.write(piece[: len(piece) // 2])
                    await sink.drain()
                    break
                sink.write(piece)
                await sink.drain()
        except OSError:  # one side is gone: so is the connection
            pass
        finally:
            for writer in (sink, back):
                reset(writer)
                self._open.discard(writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off, with a RST."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
