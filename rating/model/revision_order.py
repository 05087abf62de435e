"""Which of two records of one identity counts (DOMAIN.md §1): the highest revision, of equal ones the first seen."""

from typing import Literal, TypeAlias

from rating.model.facts import Fact, same_content
from rating.model.master_data import Master

Verdict: TypeAlias = Literal["replaced", "kept", "duplicate", "conflict"]


def resolve_revision(current: Fact | Master | None, incoming: Fact | Master) -> Verdict:
    """What an incoming record does to the current winner of its identity.

    `replaced`: it is the winner now. `kept`: it is older and changes nothing. `duplicate`: it says the same.
    `conflict`: an equal revision says something else; the first seen stands and
    SAME_REVISION_DIFFERENT_CONTENT is raised.
    """
    if current is None or incoming.revision > current.revision:
        return "replaced"
    if incoming.revision < current.revision:
        return "kept"
    return "duplicate" if same_content(current, incoming) else "conflict"


def is_earlier_repeat(current: Fact | None, incoming: Fact) -> bool:
    """Whether a record repeats the winner with an earlier `occurred_at`, which then counts (DOMAIN.md §1.4)."""
    return (
        current is not None
        and incoming.occurred_at < current.occurred_at
        and resolve_revision(current, incoming) == "duplicate"
    )


def winner(current: Fact | None, incoming: Fact) -> Fact:
    """The fact that counts after an incoming record of its identity (DOMAIN.md §1.3 to 1.5)."""
    if current is None or resolve_revision(current, incoming) == "replaced" or is_earlier_repeat(current, incoming):
        return incoming
    return current
