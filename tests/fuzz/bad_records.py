"""Bad records without end, from a seed: of a topic every field with every extreme, and records broken as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from schemas.codec import encode, header, shape
from schemas.json_codec import from_json
from tests.fuzz import world
from tests.fuzz.extremes import Extreme, Path, of_shape, places, replaced
from tests.fuzz.wire import written
from topics.catalogue import FACTS, TOPICS, current_key, key_of

CURRENT = "masters.current"
_MASTERS = [topic for topic in TOPICS if topic.startswith("master.")]
_RARE = 100  # values of hundreds of kilobytes are one in so many
_MOST_BYTES = 1_000_000  # hardly more does the broker take
_FIELDS_IN = 3  # of so many records, all but one have a bad field

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Bad:
    """A record to send. `broken`: it breaks its contract whatever the contract's code says; `what` was done to it."""

    topic: str
    key: bytes | None
    value: bytes | None
    what: str
    broken: bool = False
    headers: Headers = field(default_factory=list)


def bad_records(topic: str, random: Random, sources: dict[str, world.Source]) -> Iterator[Bad]:
    """Bad records of a topic without end; every field is met before one is met again."""
    makers = _Makers(topic, random, sources)
    n = 0
    while True:
        for path, extreme in makers.fields():
            n += 1
            yield makers.broken_whole(n) if n % _FIELDS_IN == 0 else makers.with_field(n, path, extreme)


class _Makers:
    def __init__(self, topic: str, random: Random, sources: dict[str, world.Source]) -> None:
        self._topic, self._random, self._sources = topic, random, sources

    def fields(self) -> Iterator[tuple[Path, Extreme]]:
        """Each field once, with one of its extremes; of `masters.current` those of a master topic."""
        at = self._random.choice(_MASTERS) if self._topic == CURRENT else self._topic
        found = list(places(shape(at)))
        self._random.shuffle(found)
        for path, of in found:
            extreme = self._random.choice(of_shape(of))
            if _is_large(extreme.value) and self._random.randrange(_RARE):
                continue
            yield path, extreme

    def with_field(self, n: int, path: Path, extreme: Extreme) -> Bad:
        """A sound record with another value of one field, under its own key."""
        topic = self._random.choice(_MASTERS) if self._topic == CURRENT else self._topic
        if topic != self._topic:
            path, of = self._random.choice(list(places(shape(topic))))
            extreme = self._random.choice([each for each in of_shape(of) if not _is_large(each.value)])
        record = self._sound(topic, n)
        changed = replaced(shape(topic), record, path, extreme.value)
        broken = extreme.broken or (extreme.broken_fact and topic in FACTS)
        told = f"{'.'.join(map(str, path))} = {repr(extreme.value)[:60]}"
        key = current_key(topic, _key(topic, changed, record).decode()).encode() if self._topic == CURRENT else None
        return Bad(self._topic, key or _key(topic, changed, record), written(topic, changed), told, broken)

    def broken_whole(self, n: int) -> Bad:
        """A sound record with its bytes, its key or its headers spoilt."""
        random, topic = self._random, self._topic
        of = random.choice(_MASTERS) if topic == CURRENT else topic
        record = self._sound(of, n)
        key, value = key_of(of, record).encode(), encode(of, record)
        if topic == CURRENT:
            key = f"{of}:".encode() + key
        choices: list[tuple[str, bytes | None, bytes | None, bool, Headers]] = [
            ("cut off", key, value[: random.randrange(len(value))], True, []),
            ("bytes after its end", key, value + random.randbytes(random.randint(1, 9)), True, []),
            ("changed bytes", key, _changed(value, random), False, []),
            ("inserted bytes", key, _inserted(value, random), False, []),
            ("random bytes", key, random.randbytes(random.randrange(300)), True, []),
            ("no value", key, None, True, []),
            ("an empty value", key, b"", True, []),
            ("another topic's schema", key, _other_header(topic) + value[5:], True, []),
            ("no such schema", key, b"\0\x7f\xff\xff\xff" + value[5:], True, []),
            ("another format", key, b"{}" + value, True, []),
            ("no key", None, value, True, []),
            ("an empty key", b"", value, True, []),
            ("another key", key + b"x", value, True, []),
            ("a key with U+0000", key + b"\0", value, True, []),
            ("a key that is no text", b"\xff\xfe" + key, value, True, []),
            ("a long key", key * (10_000 // (len(key) or 1) + 1), value, True, []),
            ("odd headers", key, value, False, _odd_headers(random)),
            ("odd headers, cut off", key, value[:-1], True, _odd_headers(random)),
        ]  # fmt: skip
        if not random.randrange(_RARE // 4):
            choices = [
                ("as large as can be", key, random.randbytes(_MOST_BYTES), True, []),
                ("as large as can be, its key", random.randbytes(_MOST_BYTES - 2_000), value, True, []),
                ("a large header", key, value, False, [("source.record", random.randbytes(900_000))]),
                ("a large header, cut off", key, value[:-1], True, [("x", random.randbytes(900_000))]),
                ("many headers", key, value, False, [(f"h{n}", b"x") for n in range(5_000)]),
                ("large when unpacked", key, value + b"x" * 6_000_000, True, []),
            ]
        what, key_sent, value_sent, broken, headers = random.choice(choices)
        return Bad(topic, key_sent, value_sent, what, broken, headers)

    def _sound(self, topic: str, n: int) -> dict[str, Any]:
        if (source := self._sources.get(topic)) is not None:
            return source.row(topic, 1_000_000 + n)
        stamp = {"occurred_at": "2024-03-01T00:00:00.000Z", "source": "fuzz", "revision": n + 1}
        value = world.base(topic, n)
        return from_json(topic, stamp | value if topic in FACTS else value)


def _key(topic: str, changed: dict[str, Any], record: dict[str, Any]) -> bytes:
    """The key that the changed record gives, so that its field alone is wrong; where it gives none, that before."""
    try:
        return key_of(topic, changed).encode()
    except (TypeError, KeyError):
        return key_of(topic, record).encode()


def _is_large(value: object) -> bool:
    return isinstance(value, str | bytes | list) and len(value) > 15_000


def _other_header(topic: str) -> bytes:
    return header("files.taken" if topic == "erp.postings" else "erp.postings")


def _changed(value: bytes, random: Random) -> bytes:
    out = bytearray(value)
    for _ in range(random.randint(1, 4)):
        out[random.randrange(5, len(out))] = random.randrange(256)
    return bytes(out)


def _inserted(value: bytes, random: Random) -> bytes:
    at = random.randrange(5, len(value))
    return value[:at] + random.choice([b"\xff" * 9 + b"\x01", random.randbytes(9)]) + value[at:]


def _odd_headers(random: Random) -> Headers:
    contents = [None, b"", b"\0", b"\xff\xfe", b"x" * 5_000, b"[/x]", b"-1", b"x:1:2", b"time.entries:0:99999999"]
    names = ["source.record", "source.position", "source.revision", "lookups", "n", "file.name", "mac", "", "[/x]", "é"]
    return [(random.choice(names), random.choice(contents)) for _ in range(random.randint(1, 5))]
