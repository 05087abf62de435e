"""What the servers of the embedded stack share: a process, a port, and a stop at the end of a `with` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from devstack.child import Child
from devstack.errors import StackError


class StoppedAtExit(ABC):
    """A context manager that stops what it holds."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class EmbeddedServer:
    """A server process on a port of loopback."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._port: int | None = None

    @property
    def port(self) -> int:
        """Its port. Raises `StackError` before the first start."""
        if self._port is None:
            raise StackError(f"the embedded {self._child.name} was not started")
        return self._port

    @property
    def child(self) -> Child:
        """Its process."""
        return self._child
