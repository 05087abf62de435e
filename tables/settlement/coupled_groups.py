"""Which buckets of an engagement settle together: `rating.scope`, by the name of a bucket (DESIGN.md §3)."""

from collections.abc import Iterable, Iterator

from rating.model.days import month_of
from rating.model.facts import BillingPeriod, Expense
from rating.model.master_data import Engagement
from rating.scope import FEE_PREFIX, Coupling, Scope
from tables.settlement.bucket_store import OUTCOMES, TIME, Buckets
from tables.settlement.large_bucket import Bucket

EXPENSE = "expense:"


def scope_of_bucket(name: str, coupling: Coupling) -> Scope | None:
    """The scope of a bucket that settles together with others; None for one that settles by itself."""
    if coupling.time and name.startswith(TIME):
        return coupling.scope(_month_of_time(name))
    if coupling.expenses and name.startswith(EXPENSE):
        return coupling.scope("")  # expenses are never coupled by month
    if coupling.periods and name.startswith(FEE_PREFIX):
        return coupling.scope(name.removeprefix(FEE_PREFIX))
    return None


def buckets_of(buckets: Buckets, engagement_id: str, coupling: Coupling, scope: Scope) -> list[Bucket]:
    """Every bucket of a coupled scope."""
    kinds = ((coupling.time, TIME), (coupling.expenses, EXPENSE), (coupling.periods, FEE_PREFIX))
    return [
        bucket
        for coupled, prefix in kinds
        if coupled
        for bucket in buckets.named(engagement_id, prefix, lambda name: scope_of_bucket(name, coupling) == scope)
    ]


def periods_of(buckets: Buckets, engagement: Engagement | None, months: Iterable[str]) -> Iterator[BillingPeriod]:
    """The billing periods of months, by which work may be late (DOMAIN.md §2 rule 14)."""
    for month in dict.fromkeys(months):
        name = f"{FEE_PREFIX}{month}"
        told = buckets.bucket(engagement.engagement_id, name).told(name) if engagement else None
        if told is not None and isinstance(told.fact, BillingPeriod):
            yield told.fact


def work_of_month(buckets: Buckets, engagement_id: str, month: str) -> Iterator[Bucket]:
    """The buckets with time, expenses or outcomes of a month: all that its billing period may make late."""
    yield from buckets.named(engagement_id, TIME, lambda name: _month_of_time(name) == month)
    yield from buckets.named(engagement_id, f"{OUTCOMES}{month}:")
    for bucket in buckets.named(engagement_id, EXPENSE):
        facts = (told.fact for told in bucket.all_told())
        if any(isinstance(fact, Expense) and month_of(fact.incurred_on) == month for fact in facts):
            yield bucket


def _month_of_time(name: str) -> str:
    """The month of a bucket named by `tables.settlement.bucket_store.day_bucket`, which ends in YYYY-MM-DD."""
    return name[-10:-3]
