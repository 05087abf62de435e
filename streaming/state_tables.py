"""Typed rows: a table is a key prefix, a key of text parts, and a value type kept as MessagePack.

Key parts end with a zero byte, and no other zero is in a key, so a scan of leading parts meets whole parts only, and
rows that belong together (an engagement, a look-up) stand together, in the order of their parts' code points.
"""

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

import msgspec

from streaming.local_state import StoreUnreadable
from topics.state_keys import RowKind

T = TypeVar("T")


class StateRows(Protocol):
    """The part of `streaming.state.State` that tables need."""

    def load(self, keys: Iterable[bytes]) -> None: ...
    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]: ...


def packed(part: str) -> bytes:
    """One key part. A zero is written `01 01` and a one `01 02`, which keeps their order."""
    if part.isprintable():  # neither of them, at a glance: nearly every id there is
        return part.encode() + b"\0"
    return part.encode().replace(b"\1", b"\1\2").replace(b"\0", b"\1\1") + b"\0"


def unpacked(part: bytes) -> str:
    """The text of a packed part, without its last zero."""
    return part.replace(b"\1\1", b"\0").replace(b"\1\2", b"\1").decode()


class StateTable(Generic[T]):
    """Rows of one kind, which `topics.state_keys` declares."""

    def __init__(self, kind: RowKind, type_: type[T]) -> None:
        self._name = kind.prefix
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(type_).decode

    def key(self, *parts: str) -> bytes:
        """The row's key in the state; with fewer parts, the prefix of a scan."""
        if len(parts) == 2 and parts[0].isprintable() and parts[1].isprintable():  # what most keys are, and most often
            return self._name + f"{parts[0]}\0{parts[1]}\0".encode()
        return self._name + b"".join([packed(part) for part in parts])

    def get(self, state: StateRows, *parts: str) -> T | None:
        """The row, or None."""
        value = state.get(self.key(*parts))
        return None if value is None else self.unpack(value)

    def put(self, state: StateRows, row: T, *parts: str) -> None:
        """Write the row."""
        state.put(self.key(*parts), self._encode(row))

    def delete(self, state: StateRows, *parts: str) -> None:
        """Remove the row."""
        state.delete(self.key(*parts))

    def scan(self, state: StateRows, *parts: str, start: bytes = b"") -> Iterator[tuple[tuple[str, ...], T]]:
        """(key parts, row) of all rows under the leading `parts`, from the key `start` on, in key order."""
        for names, value in self.scan_packed(state, *parts, start=start):
            yield names, self.unpack(value)

    def scan_packed(self, state: StateRows, *parts: str, start: bytes = b"") -> Iterator[tuple[tuple[str, ...], bytes]]:
        """The same with rows still packed, for a reader who knows many of them already: see `unpack`."""
        for key, value in state.scan(self.key(*parts), start):
            yield self.parts(key), value

    def pack(self, row: T) -> bytes:
        """A row as it is stored."""
        return self._encode(row)

    def unpack(self, value: bytes) -> T:
        """A row that `scan_packed` gave. Raises StoreUnreadable where it is none of this table."""
        try:
            return self._decode(value)
        except msgspec.DecodeError as error:
            raise StoreUnreadable(f"a row of {self._name!r} cannot be read: {error}") from error

    def holds(self, key: bytes) -> bool:
        """Whether a key of the state is one of this table."""
        return key.startswith(self._name)

    def parts(self, key: bytes) -> tuple[str, ...]:
        """The parts of one of this table's keys."""
        return tuple(unpacked(part) for part in key[len(self._name) :].split(b"\0")[:-1])


class Numbers(StateTable[int]):
    """Rows of whole numbers of any size. MessagePack's have 64 bits, which a sum of money may exceed: text then."""

    def __init__(self, kind: RowKind) -> None:
        super().__init__(kind, int)
        self._decode_any = msgspec.msgpack.Decoder(int | str).decode

    def get(self, state: StateRows, *parts: str) -> int | None:
        value = state.get(self.key(*parts))
        return None if value is None else self.unpack(value)

    def put(self, state: StateRows, row: int, *parts: str) -> None:
        state.put(self.key(*parts), self.pack(row))

    def pack(self, row: int) -> bytes:
        return self._encode(row if -(1 << 63) <= row < 1 << 63 else str(row))

    def unpack(self, value: bytes) -> int:
        return int(self._decode_any(value))
