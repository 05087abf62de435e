"""Routes of charges: policies by legal entity, region, client and day of the work (DESIGN.md §5).

The first policy that matches decides alone. The day of the work counts, so a month lies in one system whatever is
corrected later; a cut-over (or its return) is a policy from a day on. A reversal has the fields of its charge, so the
same policies route both. If the policies changed in between, the reversal still follows its charge (`goes_to`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """A policy for charges that match every given field; None matches all. Days are half-open: first <= day < until."""

    systems: tuple[str, ...]
    legal_entities: frozenset[str] | None = None
    regions: frozenset[str] | None = None
    clients: frozenset[str] | None = None
    first: date | None = None
    until: date | None = None

    def matches(self, charge: Mapping[str, Any]) -> bool:
        """Whether a charge (a record of `billing.ready`) matches."""
        return (
            (self.legal_entities is None or charge["legal_entity"] in self.legal_entities)
            and (self.regions is None or charge["region"] in self.regions)
            and (self.clients is None or charge["client_id"] in self.clients)
            and (self.first is None or self.first <= charge["work_date"])
            and (self.until is None or charge["work_date"] < self.until)
        )


@dataclass(frozen=True, slots=True)
class Routes:
    """Policies in their order, and where everything else goes."""

    default: tuple[str, ...]
    policies: tuple[RoutingPolicy, ...] = ()

    def targets_of(self, charge: Mapping[str, Any]) -> tuple[str, ...]:
        """The systems a charge goes to by its own fields; never none."""
        return next((policy.systems for policy in self.policies if policy.matches(charge)), self.default)

    def goes_to(self, system: str, charge: Mapping[str, Any], holds_original: bool) -> bool:
        """Whether a system receives this record: a charge by the policies, a reversal exactly where its charge is."""
        return holds_original if charge["reverses"] is not None else system in self.targets_of(charge)

    def systems(self) -> tuple[str, ...]:
        """Every system that is named, once."""
        named = (*self.default, *(system for policy in self.policies for system in policy.systems))
        return tuple(dict.fromkeys(named))
