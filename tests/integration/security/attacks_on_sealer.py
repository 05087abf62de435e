"""What is done before `hourstream seal` runs, whether it then refuses, and what it says."""

from assurance.hash_chain import KEYLESS, SEALS, Seal, make
from schemas.codec import encode
from streaming.batch import Record
from tests.integration.security.attacks_on_chains import (
    both,
    chain,
    edited_heads,
    forged,
    older_heads,
    truncated,
    without_heads,
)
from tests.integration.security.seal_attack import Attack, act, rows
from tests.integration.security.sealed_scene import DECISIONS, KEY, Scene
from topics.catalogue import key_of


def _nothing(scene: Scene) -> None:
    """Only the key is another."""


def _readable(scene: Scene) -> None:
    scene.key_mode = 0o644


OTHER_KEY = r"was altered, or its heads were made with another key"
REFUSED = {
    "seal without the key": Attack(
        _nothing, "found", r"was altered, or its heads were made with another key", key=None
    ),
    "seal with another key": Attack(
        _nothing, "found", r"was altered, or its heads were made with another", key=b"other"
    ),
    "seal with a key that others can read": Attack(_readable, "found", r"others may read this secret"),
    "delete the newest seal, then seal": Attack(
        chain(truncated), "found", r"the last seal of hourstream.acts\[0\], of"
    ),
    "drop the topic of seals, then seal": Attack(chain(lambda scene: ()), "found", r"is gone from billing.seals"),
    "alter an act, drop the topic, then seal": Attack(
        both(rows(act(2, "reason = 'other'")), chain(lambda scene: ())), "found", r"is gone from billing.seals"
    ),
    "delete all heads, then seal": Attack(without_heads, "found", r"the heads of its chains are nowhere"),
    "alter all heads, then seal": Attack(
        edited_heads, "found", r"was altered, or its heads were made with another key"
    ),
}
CONTINUED = {
    "append garbage, then seal": Attack(lambda scene: scene.append(SEALS, b"garbage", b"x"), "harmless"),
    "append a forged seal, then seal": Attack(forged(b"a guess", signed=True), "harmless"),
    "append a seal made without a key, then seal": Attack(forged(KEYLESS, signed=False), "harmless"),
    "put all heads back, then seal": Attack(older_heads(KEY), "harmless"),
    "delete the file of heads, then seal": Attack(lambda scene: scene.heads_file.unlink(), "harmless"),
}


def as_before_heads(scene: Scene, keys: tuple[bytes, ...] = (KEY, KEY, KEY)) -> None:
    """The seals of decisions as the version before heads made them, each with one of the keys; and no heads."""
    seals: list[Seal] = []
    for key, record in zip(keys, scene.stored[DECISIONS], strict=False):
        seals.append(make(key, seals[-1] if seals else None, [record]))
    scene.rewrite(SEALS, [_unsigned(seal) for seal in seals])
    without_heads(scene)


def _unsigned(seal: Seal) -> Record:
    value = {name: getattr(seal, name) for name in Seal.__slots__}
    return Record(SEALS, 0, 0, 1_700_000_000_000, key_of(SEALS, value).encode(), encode(SEALS, value), ())
