"""The heads of all chains of seals, kept in places apart from the chains and signed with the key.

A chain proves nothing about its end: a chain without its newest seals is still valid. So after every round the sealer
writes the end of each chain, with a MAC, to a file and to the database. The text is made for people or a notary to
read, print and keep:

    hourstream seal heads, number 17, at 2026-03-01T00:00:00Z
    billing.ready 0 end 130 records 123 hash 1f3c…
    note 2026-03-01T00:00:00Z ann: continued after the move
    mac 99ab…
"""

import hmac
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from assurance.hash_chain import Place, Seal

_FIRST = re.compile(r"hourstream seal heads, number (\d{1,18}), at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_CHAIN = re.compile(r"([a-z0-9._-]{1,249}) (\d{1,9}) end (\d{1,18}) records (\d{1,18}) hash ([0-9a-f]{64})")
_NOTE = re.compile(r"note (.+)")
_LAST = re.compile(r"mac ([0-9a-f]{64})")


class NoHeads(ValueError):
    """A text is no list of heads; the message says which line is wrong."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: its last seal."""

    end: int
    records: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Heads:
    """All heads of one moment. `number` counts the lists so far, `notes` are a person's decisions about chains."""

    number: int
    at: datetime
    chains: Mapping[Place, Head]
    notes: tuple[str, ...] = ()
    mac: bytes = b""

    @property
    def body(self) -> str:
        """The text that is signed."""
        lines = [f"hourstream seal heads, number {self.number}, at {self.at:%Y-%m-%dT%H:%M:%SZ}"]
        for (topic, partition), head in sorted(self.chains.items()):
            lines.append(f"{topic} {partition} end {head.end} records {head.records} hash {head.hash.hex()}")
        return "".join(f"{line}\n" for line in (*lines, *(f"note {note}" for note in self.notes)))

    @property
    def text(self) -> str:
        """The stored text of the list."""
        return f"{self.body}mac {self.mac.hex()}\n"

    def signed(self, key: bytes) -> "Heads":
        """The same, with its MAC."""
        return replace(self, mac=_mac(key, self.body))

    def fits(self, key: bytes) -> bool:
        """Whether the key signed it."""
        return hmac.compare_digest(self.mac, _mac(key, self.body))


def _mac(key: bytes, body: str) -> bytes:
    return hmac.new(key, b"heads\0" + body.encode(), sha256).digest()


def parse(text: str) -> Heads:
    """The heads of a text. Raises NoHeads."""
    lines = text.splitlines()
    first, last = _FIRST.fullmatch(lines[0]) if lines else None, _LAST.fullmatch(lines[-1]) if lines else None
    if first is None or last is None:
        raise NoHeads("its first line is no title of seal heads, or its last line no MAC")
    chains: dict[Place, Head] = {}
    notes = []
    for number, line in enumerate(lines[1:-1], 2):
        if (chain := _CHAIN.fullmatch(line)) is not None:
            head = Head(int(chain[3]), int(chain[4]), bytes.fromhex(chain[5]))
            chains[chain[1], int(chain[2])] = head
        elif (note := _NOTE.fullmatch(line)) is not None:
            notes.append(note[1])
        else:
            raise NoHeads(f"line {number} is no head of a chain")
    try:
        at = datetime.strptime(first[2], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise NoHeads("its instant is none") from error
    return Heads(int(first[1]), at, chains, tuple(notes), bytes.fromhex(last[1]))


def heads_of(last: Mapping[Place, Seal], before: Heads | None, at: datetime, notes: Sequence[str] = ()) -> Heads:
    """The heads of chains by their last seals, to be signed."""
    chains = {place: Head(seal.end, seal.records, seal.hash) for place, seal in last.items()}
    number, kept = (0, ()) if before is None else (before.number, before.notes)
    return Heads(number + 1, at.replace(microsecond=0), chains, (*kept, *notes))


class Copy(Protocol):
    """A place where heads are kept."""

    @property
    def name(self) -> str:
        """The name of a copy for people."""

    def read(self) -> str | None:
        """The stored content; None if there is none."""

    def write(self, text: str) -> None:
        """Replace the stored content."""


@dataclass(frozen=True, slots=True)
class FileCopy:
    """A file, readable by its owner alone."""

    path: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    def read(self) -> str | None:
        """Raises OSError."""
        return self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else None

    def write(self, text: str) -> None:
        """Replace the file atomically. Raises OSError; the file is then unchanged."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


@dataclass(frozen=True, slots=True)
class Kept:
    """The content of the copies: the newest heads with a valid signature, and the faults of the copies as text.

    `others` are copies with content that the key has not signed.
    """

    heads: Heads | None
    others: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every copy has the newest heads."""
        return self.heads is not None and not self.others and not self.stale


def kept(copies: Sequence[Copy], key: bytes) -> Kept:
    """Read every copy. Raises OSError, Unreachable."""
    fitting: dict[str, Heads] = {}
    others, empty = [], []
    for copy in copies:
        text = copy.read()
        if text is None:
            empty.append(copy.name)
            continue
        try:
            heads = parse(text)
        except NoHeads as error:
            others.append(f"{copy.name} holds no seal heads: {error}")
            continue
        if heads.fits(key):
            fitting[copy.name] = heads
        else:
            others.append(f"{copy.name} was altered, or its heads were made with another key")
    newest = max(fitting.values(), key=lambda each: each.number, default=None)
    stale = [f"{name} holds heads of before" for name, each in fitting.items() if each != newest]
    stale += [f"{name} holds no heads" for name in empty] if newest is not None else []
    return Kept(newest, tuple(others), tuple(stale))
