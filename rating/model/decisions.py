"""A waive holds for one revision of a subject; retry changes no fact (DOMAIN.md §2, Decisions)."""

from collections.abc import Iterable
from typing import TypeAlias

from rating.model.facts import Decision

Waivers: TypeAlias = frozenset[tuple[str, int]]
"""(subject, subject revision) of the waives that stand; each holds only while that revision is the highest."""

_NONE: Waivers = frozenset()


def waivers(decisions: Iterable[Decision]) -> Waivers:
    """The waives among the winning revisions of decisions; one corrected to retry is no longer among them."""
    found = [(decision.subject, decision.subject_revision) for decision in decisions if decision.decision == "waive"]
    return frozenset(found) if found else _NONE
