"""Where a charge comes from: the fact's place in its topic and the revision of every master used (DOMAIN.md §3)."""

from collections.abc import Iterable

from rating.model.charge import RULES_VERSION, Lineage, MasterRef
from rating.model.facts import FACT_TYPES, Fact
from rating.model.master_data import Calendar, Consultant, ExpensePolicy, FxRate, PerDiem, Task
from rating.model.rating_context import Contract
from rating.time.rates import CardRate

_TOPICS = {shape: topic for topic, shape in FACT_TYPES.items()}
_NOWHERE = -1


def lineage_of(fact: Fact, contract: Contract, used: Iterable[MasterRef]) -> Lineage:
    """The lineage of a fact's charge; `used` are the masters beside the contract's engagement and client."""
    engagement, client = contract.engagement, contract.client
    origin = fact.origin
    return Lineage(
        topic=origin.topic if origin else _TOPICS[type(fact)],
        partition=origin.partition if origin else _NOWHERE,
        offset=origin.offset if origin else _NOWHERE,
        source=fact.source,
        revision=fact.revision,
        masters=(
            MasterRef("engagement", engagement.engagement_id, engagement.revision),
            MasterRef("client", client.client_id, client.revision),
            *used,
        ),
        rules_version=RULES_VERSION,
    )


def task_ref(task: Task) -> MasterRef:
    """The task of a time entry."""
    return MasterRef("task", task.task_id, task.revision)


def consultant_ref(consultant: Consultant) -> MasterRef:
    """The consultant of a time entry."""
    return MasterRef("consultant", consultant.consultant_id, consultant.revision)


def rate_ref(rate: CardRate) -> MasterRef:
    """The rate card of a time entry, with the line that decided."""
    return MasterRef("rate_card", rate.card.rate_card_id, rate.card.revision, rate.line.line_id)


def calendar_ref(calendar: Calendar) -> MasterRef:
    """The holiday calendar of an engagement."""
    return MasterRef("calendar", calendar.calendar_id, calendar.revision)


def policy_ref(policy: ExpensePolicy) -> MasterRef:
    """The expense policy of an engagement."""
    return MasterRef("expense_policy", policy.expense_policy_id, policy.revision)


def per_diem_ref(rate: PerDiem) -> MasterRef:
    """The per diem that priced an expense."""
    return MasterRef("per_diem", rate.per_diem_id, rate.revision)


def fx_ref(rate: FxRate) -> MasterRef:
    """An exchange rate of one day."""
    return MasterRef("fx_rate", f"{rate.base}:{rate.quote}:{rate.date}", rate.revision)
