"""Free loopback ports for the embedded servers."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below every usual ephemeral range: a client which keeps reconnecting to a stopped server on an ephemeral port can be
# given that very port as its own, talk to itself, and so keep the server from ever binding it again.
_RANGE = range(15_000, 32_000)


def free_port(*, avoid: frozenset[int] = frozenset()) -> int:
    """A free loopback TCP port; another program may still take it before the server does; then try again."""
    candidates = [port for port in random.sample(_RANGE, 200) if port not in avoid]
    for port in candidates:
        if is_free(port):
            return port
    raise OSError("no free loopback port between 15000 and 31999")


def port_like(last: int | None) -> int:
    """The port of the last run where it is free again, else any free one."""
    return last if last is not None and is_free(last) else free_port()


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
