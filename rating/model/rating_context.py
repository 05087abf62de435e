"""What settling shares over an engagement: the contract, the look-ups and the waivers (DOMAIN.md §2 rule 1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from rating.model.charge import Missing, Parked, Settlement, State
from rating.model.decisions import Waivers, waivers
from rating.model.facts import Decision, Fact, subject_of
from rating.model.lookups import Lookups
from rating.model.master_data import Client, Engagement
from rating.model.masters import Masters

NON_BILLABLE = "NON_BILLABLE"
COVERED_BY_FEE = "COVERED_BY_FEE"
COVERED_BY_RETAINER = "COVERED_BY_RETAINER"
OVER_CAP = "OVER_CAP"
CAP_EXCEEDED = "CAP_EXCEEDED"

_STATES: dict[str, State] = {
    "approved": "charged",
    "completed": "charged",
    "open": "charged",
    "closed": "charged",
    "submitted": "pending",
    "rejected": "void",
    "withdrawn": "void",
    "reopened": "void",
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a subject cannot be charged now: a code of DOMAIN.md §2, a sentence, and the fact that would resolve it."""

    code: str
    message: str
    missing: Missing | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """An engagement and its client, both known."""

    engagement: Engagement
    client: Client

    @property
    def is_non_billable(self) -> bool:
        """Whether nothing but adjustments is charged."""
        return self.engagement.billing_method == "non_billable"


@dataclass(frozen=True, slots=True)
class Case:
    """One engagement being settled; `contract` is a rejection where the engagement or its client is unknown."""

    engagement_id: str
    engagement: Engagement | None
    contract: Contract | Rejection
    lookups: Lookups
    waivers: Waivers

    def parked(self, fact: Fact, rejection: Rejection, minutes: int = 0, stake: Decimal | None = None) -> Settlement:
        """The subject of a fact with no charge: parked, or waived where a person said so."""
        held = self.held(fact, rejection, minutes, stake)
        state: State = "waived" if held.waived else "parked"
        return Settlement(subject_of(fact), self.engagement_id, state, minutes, None, held)

    def held(self, fact: Fact, rejection: Rejection, minutes: int, stake: Decimal | None) -> Parked:
        """The exception of a fact's subject."""
        return Parked(
            code=rejection.code,
            message=rejection.message,
            missing=rejection.missing,
            amount_at_stake=stake,
            minutes=minutes,
            waived=(subject_of(fact), fact.revision) in self.waivers,
            owner=self.engagement.owner if self.engagement else "",
            region=self.contract.client.region if isinstance(self.contract, Contract) else "",
            revision=fact.revision,
        )

    def idle(self, fact: Fact, status: str) -> Settlement | None:
        """The settlement of a fact that waits or was taken back; None where it is to be charged."""
        state = _STATES[status]
        return None if state == "charged" else Settlement(subject_of(fact), self.engagement_id, state, 0)


def case_of(engagement_id: str, masters: Masters, decisions: Iterable[Decision]) -> Case:
    """Looks up the engagement and its client once for all its subjects."""
    lookups = Lookups(masters)
    engagement = lookups.engagement(engagement_id)
    return Case(engagement_id, engagement, _contract(engagement_id, engagement, lookups), lookups, waivers(decisions))


def _contract(engagement_id: str, engagement: Engagement | None, lookups: Lookups) -> Contract | Rejection:
    if engagement is None:
        missing = Missing("engagement", engagement_id, None)
        return Rejection("UNKNOWN_ENGAGEMENT", f"Engagement {engagement_id} is not known.", missing)
    client = lookups.client(engagement.client_id)
    if client is None:
        missing = Missing("client", engagement.client_id, None)
        message = f"Client {engagement.client_id} of engagement {engagement_id} is not known."
        return Rejection("UNKNOWN_CLIENT", message, missing)
    return Contract(engagement, client)
