"""Pages of totals: overview, unbilled work by age, throughput, and reconciliation."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from console.dependencies import Read, Viewer
from console.pages.charts import Chart, Series, columns
from console.pages.csv import csv_file
from console.pages.rendering import render, zone_of
from rating.unbilled_work import AGE_BUCKETS, STAGES
from warehouse.queries import exceptions, reconciliation, unbilled
from warehouse.queries import throughput as flow

router = APIRouter(default_response_class=HTMLResponse)
_SERIES = (
    ("charges", "good", ("charges",)),
    ("reversals", "other", ("reversals",)),
    ("newly parked", "bad", ("exceptions open",)),
    ("postings refused", "worse", ("postings refused",)),
)


@router.get("/")
def overview(request: Request, cursor: Read, user: Viewer) -> Response:
    """The overview, with the most urgent items."""
    figures, blocking = reconciliation.figures(cursor), exceptions.Filters(severity="blocking")
    return render(
        request, user, "overview.html",
        totals=exceptions.totals(cursor, blocking),
        causes=exceptions.causes(cursor, blocking, by_money=user.sees_rates, limit=8)[:8],
        warnings=exceptions.totals(cursor, exceptions.Filters(severity="warning")).subjects,
        minutes=reconciliation.minutes(figures), ties=reconciliation.ties(figures),
        chart=_chart(request, flow.slots(cursor, int(time.time()), minutes=1, number=60), 1),
        at=unbilled.summed_at(cursor),
    )  # fmt: skip


@router.get("/unbilled")
def aging(
    request: Request, cursor: Read, user: Viewer,
    stage: Annotated[str, Query(pattern=f"^({'|'.join(STAGES)})$")] = "charged",
) -> Response:  # fmt: skip
    """Unbilled work by region and age, and by client."""
    today = datetime.now(zone_of(request)).date()
    aged = unbilled.aged(cursor, today)
    tables = []
    for name in STAGES:
        of_stage = [each for each in aged if each.stage == name]
        keys = sorted({(each.region, each.currency) for each in of_stage})
        lines = [(region, currency, [_cell(of_stage, region, currency, n) for n in range(len(AGE_BUCKETS))])
                 for region, currency in keys]  # fmt: skip
        tables.append((name, lines))
    return render(
        request, user, "unbilled.html",
        tables=tables, buckets=AGE_BUCKETS, stage=stage, today=today,
        clients=unbilled.by_client(cursor, stage, by_money=user.sees_rates), at=unbilled.summed_at(cursor),
    )  # fmt: skip


def _cell(aged: list[unbilled.AgedWork], region: str, currency: str, bucket: int) -> tuple[int, Decimal]:
    mine = [a for a in aged if (a.region, a.currency, a.bucket) == (region, currency, bucket)]
    return sum(a.minutes for a in mine), sum((a.amount for a in mine), Decimal(0))


@router.get("/unbilled.csv")
def aging_file(request: Request, cursor: Read, user: Viewer) -> Response:
    """Unbilled work by stage, region, currency and age."""
    today = datetime.now(zone_of(request)).date()
    header = ("stage", "region", "currency", "age_days", "subjects", "minutes", "amount")
    return csv_file(
        request, user, "unbilled.csv", header, unbilled.aged(cursor, today),
        lambda a: [(a.stage, a.region, a.currency, AGE_BUCKETS[a.bucket], a.subjects, a.minutes, a.amount)],
    )  # fmt: skip


@router.get("/throughput")
def throughput(
    request: Request, cursor: Read, user: Viewer, by: Annotated[str, Query(pattern="^(minute|hour)$")] = "minute"
) -> Response:
    """Records received and failed, by minute or hour."""
    minutes, number = (1, 60) if by == "minute" else (60, 48)
    slots = flow.slots(cursor, int(time.time()), minutes=minutes, number=number)
    zone = zone_of(request)
    rows = [
        (datetime.fromtimestamp(slot.starts, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M"), slot)
        for slot in reversed(slots)
        if slot.counts
    ]
    entries = Series("time entries", "other", [_entries(slot) for slot in slots])
    labels = _labels(request, slots, minutes)
    return render(
        request, user, "throughput.html",
        by=by, rows=rows, chart=_chart(request, slots, minutes),
        arrivals=columns([entries], labels, 10 if minutes == 1 else 6), entries=_entries,
    )  # fmt: skip


def _entries(slot: flow.ThroughputSlot) -> int:
    return sum(n for what, n in slot.counts.items() if what.startswith("entries "))


def _labels(request: Request, slots: list[flow.ThroughputSlot], minutes: int) -> list[str]:
    zone, form = zone_of(request), "%H:%M" if minutes == 1 else "%d %H:%M"
    return [datetime.fromtimestamp(slot.starts, UTC).astimezone(zone).strftime(form) for slot in slots]


def _chart(request: Request, slots: list[flow.ThroughputSlot], minutes: int) -> Chart:
    series = [Series(name, style, [slot.count(*kinds) for slot in slots]) for name, style, kinds in _SERIES]
    return columns(series, _labels(request, slots, minutes), 10 if minutes == 1 else 6)


@router.get("/reconciliation")
def reconciled(request: Request, cursor: Read, user: Viewer) -> Response:
    """The statements that must be true, with their figures."""
    figures = reconciliation.figures(cursor)
    return render(
        request, user, "reconciliation.html",
        minutes=reconciliation.minutes(figures), ties=reconciliation.ties(figures), at=unbilled.summed_at(cursor),
    )  # fmt: skip


@router.get("/reconciliation.csv")
def reconciled_file(request: Request, cursor: Read, user: Viewer) -> Response:
    """All sums."""
    header = ("figure", "currency", "records", "minutes", "amount")
    return csv_file(
        request, user, "reconciliation.csv", header, reconciliation.figures(cursor),
        lambda f: [(f.name, f.currency, f.records, f.minutes, f.amount)],
    )  # fmt: skip
