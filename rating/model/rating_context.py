"""What settling shares over an engagement: the contract, the look-ups and the waivers (DOMAIN.md §2 rule 1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, assert_never

from rating.model.charge import Missing, Parked, Settlement, State
from rating.model.decisions import Waivers, waivers
from rating.model.enumerations import ApprovalStatus, MilestoneStatus
from rating.model.facts import BillingPeriod, Decision, Fact, subject_of
from rating.model.lookups import Lookups
from rating.model.master_data import Client, Engagement
from rating.model.masters import Masters

NON_BILLABLE: Final = "NON_BILLABLE"
COVERED_BY_FEE: Final = "COVERED_BY_FEE"
COVERED_BY_RETAINER: Final = "COVERED_BY_RETAINER"
OVER_CAP: Final = "OVER_CAP"
MINIMUM_REACHED: Final = "MINIMUM_REACHED"
CAP_EXCEEDED: Final = "CAP_EXCEEDED"

_NEVER: Mapping[str, datetime] = {}


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
class RatingContext:
    """One engagement being settled; `contract` is a rejection where the engagement or its client is unknown.

    `closed_at` says when each month was closed, where late work is parked (DOMAIN.md §2 rule 14); else it is empty.
    """

    engagement_id: str
    engagement: Engagement | None
    contract: Contract | Rejection
    lookups: Lookups
    waivers: Waivers
    closed_at: Mapping[str, datetime]

    def parked(
        self,
        fact: Fact,
        rejection: Rejection,
        minutes: int = 0,
        stake: Decimal | None = None,
        subject: str | None = None,
    ) -> Settlement:
        """The subject of a fact (its own where none is given) with no charge: parked, or waived by a decision."""
        subject = subject or subject_of(fact)
        held = self.held(fact, subject, rejection, minutes, stake)
        state: State = "waived" if held.waived else "parked"
        return Settlement(subject, self.engagement_id, state, minutes, None, held)

    def held(self, fact: Fact, subject: str, rejection: Rejection, minutes: int, stake: Decimal | None) -> Parked:
        """The exception of a subject of a fact."""
        return Parked(
            code=rejection.code,
            message=rejection.message,
            missing=rejection.missing,
            amount_at_stake=stake,
            minutes=minutes,
            waived=(subject, fact.revision) in self.waivers,
            owner=self.engagement.owner if self.engagement else "",
            region=self.contract.client.region if isinstance(self.contract, Contract) else "",
            revision=fact.revision,
        )

    def idle(self, fact: Fact, status: ApprovalStatus | MilestoneStatus) -> Settlement | None:
        """The settlement of a fact that waits or was taken back; None where it is to be charged."""
        match status:
            case "approved" | "completed":
                return None
            case "submitted":
                return Settlement(subject_of(fact), self.engagement_id, "pending", 0)
            case "rejected" | "withdrawn" | "reopened":
                return Settlement(subject_of(fact), self.engagement_id, "void", 0)
            case _:
                assert_never(status)


def context_of(
    engagement_id: str, masters: Masters, decisions: Iterable[Decision], periods: Iterable[BillingPeriod] = ()
) -> RatingContext:
    """Looks up the engagement and its client once for all its subjects."""
    lookups = Lookups(masters)
    engagement = lookups.engagement(engagement_id)
    contract = _contract(engagement_id, engagement, lookups)
    closed_at = _closed_at(periods) if engagement is not None and parks_late_work(engagement) else _NEVER
    return RatingContext(engagement_id, engagement, contract, lookups, waivers(decisions), closed_at)


def parks_late_work(engagement: Engagement) -> bool:
    """Whether work that came after its month was closed is parked (DOMAIN.md §2 rule 14)."""
    match engagement.late_policy:
        case None | "next_invoice":
            return False
        case "park":
            return True
        case _:
            assert_never(engagement.late_policy)


def _closed_at(periods: Iterable[BillingPeriod]) -> Mapping[str, datetime]:
    return {period.period: period.occurred_at for period in periods if period.status == "closed"}


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
