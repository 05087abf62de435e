"""The user of a request and the user's rights: dependencies of every page and API route."""

from dataclasses import dataclass

ROLES = ("viewer", "operator", "admin")  # each may do what those before it may


@dataclass(frozen=True, slots=True)
class User:
    """A person or machine: whether rates (costs and amounts too) and names of people are shown; `via` how they came."""

    name: str
    roles: frozenset[str]
    sees_rates: bool
    via: str = ""
    sees_names: bool = False


def roles_up_to(role: str) -> frozenset[str]:
    """A role and those that it includes. Raises ValueError for no role."""
    return frozenset(ROLES[: ROLES.index(role) + 1])
