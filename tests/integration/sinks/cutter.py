"""A proxy that hands a request on, waits for its answer, and then breaks the connection instead of giving it back."""

import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from devstack.ports import LOOPBACK

_RESET = struct.pack("ii", 1, 0)


class Cutter:
    """Stands before a server; `cut(marker)` breaks the next answer to a request whose head has `marker`, once."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or LOOPBACK, parts.port or 80)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.url = urlunsplit(parts._replace(netloc=f"{LOOPBACK}:{self._listener.getsockname()[1]}"))
        self._marker: bytes | None = None
        self.cuts = 0

    def __enter__(self) -> "Cutter":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def cut(self, marker: str) -> None:
        """Break the next answer to such a request."""
        self._marker = marker.encode()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._carry, args=(self._listener.accept()[0],), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, suppress(OSError):
            while head := self._request(client, server):
                cut = self._marker is not None and self._marker in head
                answer = self._answer(server)
                if cut:
                    self._marker, self.cuts = None, self.cuts + 1
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    return
                client.sendall(answer)

    @staticmethod
    def _request(client: socket.socket, server: socket.socket) -> bytes:
        """Carry one request over; its head."""
        read = _until(client, b"\r\n\r\n")
        head, _, body = read.partition(b"\r\n\r\n")
        body += _exactly(client, _length(head) - len(body)) if head else b""
        server.sendall(head + b"\r\n\r\n" + body) if head else None
        return head

    @staticmethod
    def _answer(server: socket.socket) -> bytes:
        """All that the server says to one request: it says how much, or ends with the connection."""
        read = _until(server, b"\r\n\r\n")
        head, _, body = read.partition(b"\r\n\r\n")
        if b"content-length" in head.lower():
            return read + _exactly(server, _length(head) - len(body))
        while piece := server.recv(1 << 16):
            read += piece
        return read


def _until(source: socket.socket, end: bytes) -> bytes:
    read = b""
    while end not in read and (piece := source.recv(1 << 16)):
        read += piece
    return read


def _exactly(source: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size and (piece := source.recv(size - len(read))):
        read += piece
    return read


def _length(head: bytes) -> int:
    lines = (line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:])
    return next((int(value) for name, value in lines if name == b"content-length"), 0)
