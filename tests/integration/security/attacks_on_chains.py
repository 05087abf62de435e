"""Attacks of the owner of Kafka, and of the key's holder, on topics that are sealed and on the seals themselves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from assurance.hash_chain import SEALS, make
from assurance.seal_topic import read_seals
from schemas.codec import decode_for, encode
from streaming.batch import Record
from tests.integration.security.seal_attack import Attack, act, rows
from tests.integration.security.sealed_scene import DECISIONS, KEY, Scene, altered
from topics.catalogue import CHARGES_TOPIC, key_of


def charges(change: Callable[[list[Record]], Sequence[Record]]) -> Callable[[Scene], None]:
    """Write `billing.ready` anew."""
    return lambda scene: scene.rewrite(CHARGES_TOPIC, change(list(scene.stored[CHARGES_TOPIC])))


def _one(number: int, change: Callable[[Record], Record]) -> Callable[[Scene], None]:
    return charges(lambda was: [*was[:number], change(was[number]), *was[number + 1 :]])


def _cheaper(record: Record) -> Record:
    return altered(record, amount=Decimal("1.00"))


TOPIC_ATTACKS = {
    "write a topic anew as it was": Attack(charges(lambda was: was), "harmless"),
    "alter a charge": Attack(_one(4, _cheaper), "found", r"ready\[0\]@4 was altered"),
    "alter a charge's key": Attack(_one(4, lambda was: was._replace(key=b"E-9")), "found", r"ready\[0\]@4 was altered"),
    "alter a charge's time": Attack(
        _one(4, lambda was: was._replace(timestamp_ms=was.timestamp_ms + 1)), "found", r"ready\[0\]@4 was altered"
    ),
    "alter a charge's headers": Attack(
        _one(4, lambda was: was._replace(headers=(("by", b"me"),))), "found", r"ready\[0\]@4 was altered"
    ),
    "empty a charge": Attack(_one(4, lambda was: was._replace(value=None)), "found", r"ready\[0\]@4 was altered"),
    "delete a charge": Attack(charges(lambda was: [*was[:4], *was[5:]]), "found", r"ready\[0\]@8 is gone"),
    "delete the first charges": Attack(charges(lambda was: was[3:]), "found", r"ready\[0\]@0 was altered"),
    "delete the newest charges": Attack(charges(lambda was: was[:6]), "found", r"ready\[0\]@8 is gone"),
    "put a charge in": Attack(charges(lambda was: [*was[:4], was[4], *was[4:]]), "found", r"ready\[0\]@5 was altered"),
    "append a charge": Attack(
        lambda scene: scene.append(CHARGES_TOPIC, scene.stored[CHARGES_TOPIC][0].value, b"E-1"),
        "found",
        r"ready\[0\]@9 publishes .* again, which billing.ready\[0\]@0 has",
    ),
    "reorder charges": Attack(
        charges(lambda was: [*was[:3], was[4], was[3], *was[5:]]), "found", r"ready\[0\]@3 was altered"
    ),
    "truncate a topic": Attack(charges(lambda was: []), "found", r"ready\[0\]@0 is gone"),
    "drop a topic": Attack(lambda scene: scene.rewrite(CHARGES_TOPIC, None), "found", r"ready\[0\]@0 is gone"),
    "alter a decision": Attack(
        lambda scene: scene.rewrite(DECISIONS, [scene.stored[DECISIONS][1], *scene.stored[DECISIONS][1:]]),
        "found",
        r"decisions\[0\]@0 was altered",
    ),
    "truncate decisions": Attack(
        lambda scene: scene.rewrite(DECISIONS, scene.stored[DECISIONS][:1]), "found", r"decisions\[0\]@2 is gone"
    ),
}


def chain(change: Callable[[Scene], Sequence[Record] | None]) -> Callable[[Scene], None]:
    """Write `billing.seals` anew."""
    return lambda scene: scene.rewrite(SEALS, change(scene))


def put(value: bytes | None, key: bytes | None = b"billing.ready:0:9", **headers: bytes) -> Callable[[Scene], None]:
    """Put something at the end of `billing.seals`."""
    return lambda scene: scene.append(SEALS, value, key, **headers)


def edited(record: Record, **fields: object) -> Record:
    """A seal with other fields, under its own key."""
    value = {**decode_for(SEALS, record.value or b""), **fields}
    return record._replace(value=encode(SEALS, value), key=key_of(SEALS, value).encode())


def _other_seal(scene: Scene, **fields: object) -> list[Record]:
    """All seals, the second of charges with other fields."""
    second = scene.seals(CHARGES_TOPIC)[1]
    return [edited(each, **fields) if each is second else each for each in scene.stored[SEALS]]


def forged(key: bytes, *, signed: bool) -> Callable[[Scene], None]:
    """Append the next seal of charges, over a forged one, made with another key."""

    def do(scene: Scene) -> None:
        last = scene.last_seal(CHARGES_TOPIC)
        record = Record(CHARGES_TOPIC, 0, last.end, 1_700_000_000_000, b"E-1", b"forged", ())
        seal = make(key, last, [record])
        value = {name: getattr(seal, name) for name in type(seal).__slots__}
        mac = {"mac": b"\x00" * 32} if signed else {}
        scene.append(SEALS, encode(SEALS, value), key_of(SEALS, value).encode(), **mac)

    return do


def _again(scene: Scene) -> None:
    newest = scene.seals(CHARGES_TOPIC)[0]
    scene.append(SEALS, newest.value, newest.key, **dict(newest.headers))


def both(*steps: Callable[[Scene], object]) -> Callable[[Scene], None]:
    """One after the other."""

    def do(scene: Scene) -> None:
        for step in steps:
            step(scene)

    return do


def _recomputed(key: bytes) -> Callable[[Scene], None]:
    """Alter a decision, and make all seals and heads anew with some key."""
    return both(
        lambda scene: scene.rewrite(DECISIONS, [scene.stored[DECISIONS][1], *scene.stored[DECISIONS][1:]]),
        lambda scene: scene.recompute(key),
    )


def _row_recomputed(key: bytes) -> Callable[[Scene], None]:
    return both(rows(act(2, "reason = 'other'")), lambda scene: scene.recompute(key))


def truncated(scene: Scene) -> list[Record]:
    """The chain of acts without its newest seal."""
    return scene.without(scene.seals("hourstream.acts")[-1])


def without_heads(scene: Scene) -> None:
    """Delete both copies of the heads."""
    scene.heads_file.unlink()
    scene.sql("DELETE FROM hourstream.seal_heads")


def older_heads(key: bytes, *, file: bool = True, table: bool = True) -> Callable[[Scene], None]:
    """Put back heads of before the newest seal of acts, as a copy kept from then would be."""

    def do(scene: Scene) -> None:
        seal = read_seals(scene.broker, key).found["hourstream.acts", 0][-2].seal
        was = scene.heads.chains["hourstream.acts", 0]
        chains = {
            **scene.heads.chains,
            ("hourstream.acts", 0): replace(was, end=seal.end, records=seal.records, hash=seal.hash),
        }
        older = replace(scene.heads, number=scene.heads.number - 1, chains=chains).signed(key)
        scene.write_heads(older, file=file, table=table)

    return do


def edited_heads(scene: Scene) -> None:
    """Change both copies of the heads."""
    scene.write_heads(replace(scene.heads, number=scene.heads.number + 5))


GARBAGE = {
    "nothing": put(None),
    "an empty record": put(b"", b""),
    "bytes": put(b"\x00\x01\x02 no seal at all \xff"),
    "half a seal": lambda scene: scene.append(
        SEALS, (scene.stored[SEALS][0].value or b"")[:40], scene.stored[SEALS][0].key
    ),
    "a seal under another key": lambda scene: scene.append(SEALS, scene.stored[SEALS][0].value, b"billing.ready:7:7"),
    "a seal of marks that are too short": lambda scene: _put(scene, edited(scene.stored[SEALS][0], marks=b"12")),
    "a seal of offsets out of order": lambda scene: _put(
        scene, edited(scene.seals(CHARGES_TOPIC)[0], offsets=[2, 1, 0])
    ),
    "a seal that ends before it starts": lambda scene: _put(scene, edited(scene.stored[SEALS][0], end=-1)),
}


def _put(scene: Scene, record: Record) -> None:
    scene.append(SEALS, record.value, record.key, **dict(record.headers))


CHAIN = {
    **{
        f"append {name}": Attack(do, "harmless", rf"note: {SEALS}\[0\]@\d+ is no seal and is skipped")
        for name, do in GARBAGE.items()
    },
    "append a forged seal without its MAC": Attack(forged(b"a guess", signed=False), "harmless", r"@\d+ is no part of"),
    "append a forged seal with a MAC": Attack(forged(b"a guess", signed=True), "harmless", r"@\d+ is no part of"),
    "append a forged seal made without a key": Attack(forged(b"", signed=False), "harmless", r"not made with this key"),
    "append an old seal again": Attack(_again, "harmless", r"is no part of the chain"),
    "reorder the seals": Attack(chain(lambda scene: scene.stored[SEALS][::-1]), "harmless"),
    "alter a seal's hash": Attack(
        chain(lambda scene: _other_seal(scene, hash=b"\x01" * 32)), "found", r"does not foll"
    ),
    "alter a seal's marks": Attack(chain(lambda scene: _other_seal(scene, marks=b"\x01" * 24)), "harmless", r""),
    "alter a seal's count": Attack(chain(lambda scene: _other_seal(scene, records=3)), "found", r"does not follow"),
    "delete a seal": Attack(
        chain(lambda scene: scene.without(scene.seals(CHARGES_TOPIC)[1])), "found", r"does not follow the one before"
    ),
    "delete the first seal": Attack(
        chain(lambda scene: scene.without(scene.seals(CHARGES_TOPIC)[0])), "found", r"does not follow the one before"
    ),
    "delete the newest seal": Attack(chain(truncated), "found", r"acts\[0\]: the seal that ends at \d+ is gone"),
    "delete all seals of a chain": Attack(
        chain(lambda scene: scene.without(*scene.seals("hourstream.acts"))), "found", r"acts\[0\]: the seal that ends"
    ),
    "delete all seals": Attack(chain(lambda scene: []), "found", r"ready\[0\]: the seal that ends at 9 is gone"),
    "drop the topic of seals": Attack(chain(lambda scene: None), "found", r"the seal that ends at 9 is gone"),
    "drop the topic and delete the file of heads": Attack(
        both(chain(lambda scene: None), lambda scene: scene.heads_file.unlink()), "found", r"that ends at 9 is gone"
    ),
    "drop the topic and all heads": Attack(
        both(chain(lambda scene: None), without_heads), "found by kept heads", r"ready\[0\]: the head that was given"
    ),
    "delete all heads": Attack(without_heads, "found", r"the heads of the chains are nowhere"),
    "delete the file of heads": Attack(lambda scene: scene.heads_file.unlink(), "harmless", r"heads holds no heads"),
    "truncate the table of heads": Attack(
        rows("TRUNCATE hourstream.seal_heads"), "harmless", r"seal_heads holds no heads"
    ),
    "alter the file of heads": Attack(
        lambda scene: scene.heads_file.write_text(scene.printed.replace("end 9", "end 6")), "found", r"was altered, or"
    ),
    "fill the file of heads with garbage": Attack(
        lambda scene: scene.heads_file.write_bytes(b"\xff\x00garbage"), "found", r"heads holds no seal heads"
    ),
    "alter all heads": Attack(edited_heads, "found", r"heads was altered, or its heads were made with another key"),
    "alter the heads in the table": Attack(
        rows("UPDATE hourstream.seal_heads SET heads = replace(heads, 'end 9', 'end 6')"),
        "found",
        r"seal_heads was alt",
    ),
    "put the heads in the table back": Attack(
        older_heads(KEY, file=False), "harmless", r"seal_heads holds heads of bef"
    ),
    "put all heads back, with the seals": Attack(
        both(older_heads(KEY), chain(truncated)), "found by kept heads", r"acts\[0\]: the head that was given"
    ),
    "alter a decision and recompute all without the key": Attack(_recomputed(b""), "found", r"with another key"),
    "alter a decision and recompute all with a guessed key": Attack(
        _recomputed(b"guess"), "found", r"with another key"
    ),
    "alter an act and recompute all without the key": Attack(_row_recomputed(b""), "found", r"with another key"),
}
WITH_KEY = {
    "alter a decision and recompute all": Attack(
        _recomputed(KEY), "found by kept heads", r"decisions\[0\]: the head that was given"
    ),
    "alter an act and recompute all": Attack(
        _row_recomputed(KEY), "found by kept heads", r"acts\[0\]: the head that was given"
    ),
    "delete an act and recompute all": Attack(
        both(rows("DELETE FROM hourstream.acts WHERE act_id = 2"), lambda scene: scene.recompute(KEY)),
        "found by kept heads",
        r"acts\[0\]: the head that was given",
    ),
    "append an act and recompute all": Attack(
        both(
            rows("INSERT INTO hourstream.acts (name, via, act, subject, reason) VALUES ('zoe', 'x', 'map', 'x', 'y')"),
            lambda scene: scene.recompute(KEY),
        ),
        "found by kept heads",
        r"acts\[0\]: the head that was given",
    ),
    "reorder acts and recompute all": Attack(
        both(
            rows("UPDATE hourstream.acts SET name = CASE name WHEN 'ann' THEN 'bob' ELSE 'ann' END WHERE act_id < 3"),
            lambda scene: scene.recompute(KEY),
        ),
        "found by kept heads",
        r"acts\[0\]: the head that was given",
    ),
    "truncate acts and recompute all": Attack(
        both(rows("DELETE FROM hourstream.acts WHERE act = 'waive'"), lambda scene: scene.recompute(KEY)),
        "found by kept heads",
        r"acts\[0\]: the head that was given",
    ),
    "delete the newest seal and its head": Attack(
        both(older_heads(KEY), chain(truncated)), "found by kept heads", r"acts\[0\]: the head that was given"
    ),
    "start the chains from nothing": Attack(
        lambda scene: scene.recompute(KEY), "found by kept heads", r"the head that was given, at \d+, is not part"
    ),
}
KEYLESS = {
    "alter an act where there is no key": Attack(
        rows(act(2, "reason = 'other'")), "found", r"acts\[0\]@2 was altered", key=None
    ),
    "delete the newest seal where there is no key": Attack(
        chain(truncated), "found", r"acts\[0\]: the seal that ends", key=None
    ),
    "drop the topic of seals where there is no key": Attack(
        chain(lambda scene: None), "found", r"the seal that ends at 9 is gone", key=None
    ),
    "alter an act and recompute all where there is no key": Attack(
        _row_recomputed(b""), "found by kept heads", r"acts\[0\]: the head that was given", key=None
    ),
    "alter a decision and recompute all where there is no key": Attack(
        _recomputed(b""), "found by kept heads", r"decisions\[0\]: the head that was given", key=None
    ),
}
