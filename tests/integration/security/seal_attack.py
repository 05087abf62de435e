"""One attack on what is sealed: what is done, and its verdict.

`found`: `hourstream verify` fails and names it. `found by kept heads`: only `verify --head`, with heads that were
printed before, finds it: the attacker has the key, or there is none. `harmless`: nothing that was sealed is altered,
and verify says so; what was put in is reported by its position.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.integration.security.sealed_scene import KEY, Scene

Verdict = Literal["found", "found by kept heads", "harmless"]


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done, with or without the key, its verdict, and a pattern of what is said."""

    do: Callable[[Scene], object]
    verdict: Verdict
    says: str = ""
    key: bytes | None = KEY


def rows(*statements: str) -> Callable[[Scene], None]:
    """Change rows as the owner of the database."""
    return lambda scene: scene.sql(*statements)


def act(number: int, fields: str) -> str:
    """The statement that changes an act."""
    return f"UPDATE hourstream.acts SET {fields} WHERE act_id = {number}"  # noqa: S608 - texts of these tests


SWAP = """
UPDATE {0} t SET {1} = o.{1} FROM {0} o
WHERE (t.{2}, o.{2}) IN (SELECT min({2}), max({2}) FROM {0} UNION SELECT max({2}), min({2}) FROM {0})
"""
