"""Similarity of a code of another system and the names of our records: suggestions for a person to accept.

Names are compared word by word, in any order of words, case or punctuation ("Lovelace, Ada" is "Ada Lovelace"); of an
e-mail address the part before the @.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz, process, utils

_WORTH_SAYING = 60.0  # of 100
_SURE = 90.0
_APART = 5.0  # how far behind the next one must be


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A record that a code may mean: its id, the name that is like the code, and how much, of 100."""

    canonical_id: str
    label: str
    score: float


def suggestions(code: str, labels: Mapping[str, Iterable[str]], limit: int = 3) -> list[Suggestion]:
    """The records most like a code, best first; `labels` has the names of each by its id."""
    wanted = code.partition("@")[0] if "@" in code else code
    named = {(record_id, label): label for record_id, names in labels.items() for label in names if label}
    found = process.extract(
        wanted,
        named,
        scorer=fuzz.token_sort_ratio,
        processor=utils.default_process,
        score_cutoff=_WORTH_SAYING,
        limit=None,
    )
    best: dict[str, Suggestion] = {}
    for label, score, (record_id, _) in sorted(found, key=lambda each: (-each[1], each[2])):
        best.setdefault(record_id, Suggestion(record_id, label, round(score, 1)))
    return list(best.values())[:limit]


def likeness(one: str, other: str) -> float:
    """How much two texts are alike, of 100, in any order of words, case or punctuation."""
    return fuzz.token_sort_ratio(one, other, processor=utils.default_process)


def certain(found: list[Suggestion]) -> Suggestion | None:
    """The first of some suggestions, where it is much like the code, and the next so much less, that it may stand."""
    if not found or found[0].score < _SURE:
        return None
    return found[0] if len(found) == 1 or found[0].score - found[1].score >= _APART else None
