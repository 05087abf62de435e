"""The state of deliveries: one line per target for people and metrics, and single deliveries for people."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sinks.delivery.rate_limit import BreakerState
from sinks.delivery.replay import SELECTED, Selection
from storage.live_counts import SinkFigures
from storage.postgres import Pool, transaction

BREAKER_STATES: tuple[BreakerState, ...] = ("closed", "half_open", "open")

_STANDING = """
SELECT target,
    CASE WHEN breaker_until IS NULL THEN 'closed' WHEN breaker_until <= now() THEN 'half_open' ELSE 'open' END,
    greatest(coalesce(extract(epoch FROM paused_until - now()), 0), 0)::float8,
    coalesce(waiting, 0), coalesce(extract(epoch FROM now() - oldest), 0)::float8,
    coalesce(refused, 0), coalesce(unreachable, 0),
    (SELECT coalesce(jsonb_object_agg(name, total), '{}') FROM hourstream.delivery_counts c WHERE c.target = t.target),
    extract(epoch FROM now() - coalesce(told_until, since))::float8, told_until,
    CASE WHEN NOT breaker THEN 'closed' WHEN due_at <= now() THEN 'half_open' ELSE 'open' END, reason
FROM hourstream.delivery_targets t
LEFT JOIN hourstream.status_looks USING (target)
LEFT JOIN (
    SELECT target, count(*) AS waiting FROM hourstream.deliveries WHERE state = 'waiting' GROUP BY target) AS queue
    USING (target)
LEFT JOIN LATERAL (
    SELECT queued_at AS oldest FROM hourstream.deliveries d WHERE d.target = t.target AND state = 'waiting'
    ORDER BY seq LIMIT 1) AS first ON true
LEFT JOIN (
    SELECT target, count(*) FILTER (WHERE code = 'ERP_REFUSED') AS refused,
        count(*) FILTER (WHERE code = 'ERP_UNREACHABLE') AS unreachable
    FROM hourstream.deliveries WHERE code IS NOT NULL GROUP BY target) AS exceptions USING (target)
WHERE %(target)s::text IS NULL OR target = %(target)s ORDER BY target
"""
_LIST = f"""
SELECT d.charge_id, d.target, d.state, d.code, d.engagement_id, d.client_id, d.period, d.charge ->> 'subject',
    d.charge ->> 'amount', d.charge ->> 'currency', d.reverses, d.attempts, d.queued_at, d.due_at, d.answered_at,
    d.reference, d.reason, d.revision
FROM hourstream.deliveries d WHERE {SELECTED} ORDER BY d.target, d.seq LIMIT %(limit)s
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class TargetStats:
    """The progress of a target's status reports: `lag` seconds ago, at `until`, all were reported."""

    lag: float
    until: datetime | None  # None: no complete report so far
    breaker: BreakerState
    reason: str | None  # why the last poll had no answer


@dataclass(frozen=True, slots=True)
class DeliveryStats:
    """One target: its queue, its open exceptions, its breaker and its running totals. Times in seconds."""

    target: str
    breaker: BreakerState
    paused_for: float  # rest of the pause the target requested
    waiting: int
    oldest: float  # how long the first of them has waited
    refused: int
    unreachable: int
    counts: dict[str, int]
    statuses: TargetStats | None = None  # None: it is never asked


@dataclass(frozen=True, slots=True)
class Delivery:
    """One charge at one target; amounts as plain text, instants null where there was none."""

    charge_id: str
    target: str
    state: str
    code: str | None
    engagement_id: str
    client_id: str
    period: str
    subject: str
    amount: str
    currency: str
    reverses: str | None
    attempts: int
    queued_at: datetime
    due_at: datetime | None
    answered_at: datetime | None
    reference: str | None
    reason: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Replay:
    """A person's request to offer a charge again."""

    target: str
    at: datetime
    by: str
    reason: str
    was: str


def delivery_stats(pool: Pool, target: str | None = None) -> list[DeliveryStats]:
    """Each target that anything was ever delivered to, or the one named. Raises Unreachable."""
    with transaction(pool) as cursor:
        rows = cursor.execute(_STANDING, {"target": target}).fetchall()
    return [
        replace(DeliveryStats(*row[:-4]), statuses=None if row[-4] is None else TargetStats(*row[-4:])) for row in rows
    ]


def listed(pool: Pool, selection: Selection, limit: int | None = None) -> list[Delivery]:
    """The selected deliveries, by target in the order of its queue. Raises Unreachable."""
    with transaction(pool) as cursor:
        return [Delivery(*row) for row in cursor.execute(_LIST, asdict(selection) | {"limit": limit}).fetchall()]


def replays(pool: Pool, charge_id: str) -> list[Replay]:
    """Each time the charge was offered again on request. Raises Unreachable."""
    query = (
        "SELECT target, at, by, reason, was FROM hourstream.delivery_replayed JOIN hourstream.delivery_replays"
        " USING (replay) WHERE charge_id = %s ORDER BY replay, target"
    )
    with transaction(pool) as cursor:
        return [Replay(*row) for row in cursor.execute(query, (charge_id,)).fetchall()]


class DeliveryFigures(SinkFigures):
    """The live figures of a target's worker."""

    def totals(self) -> dict[tuple[str, ...], int]:
        """{("delivery", what, target): value}. `total_...` run, all others are of now. Raises Unreachable.

        The breaker is 0 when closed, 1 half-open, 2 open.
        """
        figures: dict[tuple[str, ...], int] = {}
        for each in delivery_stats(self._pool, self._sink):
            found = {
                "waiting": each.waiting,
                "oldest_seconds": int(each.oldest),
                "refused": each.refused,
                "unreachable": each.unreachable,
                "breaker": BREAKER_STATES.index(each.breaker),
                "paused_seconds": int(each.paused_for),
            } | {f"total_{name}": total for name, total in each.counts.items()}
            if each.statuses is not None:
                found["status_lag_seconds"] = int(each.statuses.lag)
                found["status_breaker"] = BREAKER_STATES.index(each.statuses.breaker)
            figures |= {("delivery", what, each.target): value for what, value in found.items()}
        return figures
