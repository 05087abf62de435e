"""The generator's masters and entries as the project's own contracts: the same projects, rates, repeats and amounts.

A project is an engagement with one task; its own rates are a rate card of its own, those by labor category the firm's.
"""

from collections.abc import Iterator

from benchmarks.enrichment.generate import (
    CATEGORIES,
    CONSULTANTS,
    FIRST_DAY,
    PROJECTS,
    Entry,
    RateRow,
    category_id,
    consultant_id,
    project_id,
    rate_rows,
)
from schemas.binary import EPOCH
from schemas.codec import encode

Master = tuple[str, str, dict[str, object]]  # topic, id, value in its JSON form
CLIENTS = 300
_STAMP: dict[str, object] = {"source": "bench", "revision": 1, "occurred_at": "2020-01-01T00:00:00.000Z"}
_LONG_AGO = FIRST_DAY.isoformat()


def masters(seed: int) -> Iterator[Master]:
    """Everything an entry needs to be charged."""
    yield from (("master.clients", f"CL-{n:03d}", _client(n)) for n in range(CLIENTS))
    yield from (("master.consultants", consultant_id(n), _consultant(n)) for n in range(CONSULTANTS))
    yield ("master.tax-rules", "US", _tax_rule())
    own: dict[str, list[RateRow]] = {}
    firm: list[RateRow] = []
    for row in rate_rows(seed):
        (own.setdefault(row.id, []) if row.selector == "project" else firm).append(row)
    yield ("master.rate-cards", "FIRM", _card("FIRM", firm, firm=True))
    for project, rows in own.items():
        yield ("master.rate-cards", f"RC-{project}", _card(f"RC-{project}", rows, firm=False))
    for n in range(PROJECTS):
        project = project_id(n)
        yield ("master.engagements", project, _engagement(n, f"RC-{project}" if project in own else None))
        yield ("master.tasks", f"T-{n:05d}", _task(n))


def encoded(entry: Entry) -> tuple[bytes, bytes]:
    """(key, framed value) of a `time.entries` record."""
    project = project_id(entry.project)
    value: dict[str, object] = {
        "entry_id": entry.entry_id,
        "engagement_id": project,
        "task_id": f"T-{entry.project:05d}",
        "consultant_id": consultant_id(entry.consultant),
        "work_date": entry.work_date,
        "minutes": entry.minutes,
        "labor_category": category_id(entry.category),
        "billable": True,
        "status": "approved",
        "approved_by": "lead@example.com" if entry.minutes % 2 else None,
        "note": entry.note,
        "source": "bench",
        "revision": 1,
        "occurred_at": EPOCH,
    }
    return project.encode(), encode("time.entries", value)


def _client(n: int) -> dict[str, object]:
    return {
        "client_id": f"CL-{n:03d}", "name": f"Client {n}", "country": "US", "region": ("AMER", "EMEA", "APAC")[n % 3],
        "tax_jurisdiction": "US", "currency": "USD", "payment_terms_days": 30, **_STAMP,
    }  # fmt: skip


def _consultant(n: int) -> dict[str, object]:
    grade = {"valid_from": _LONG_AGO, "labor_category": category_id(n % CATEGORIES)}
    return {"consultant_id": consultant_id(n), "name": f"Consultant {n}", "region": "AMER", "grades": [grade], **_STAMP}


def _tax_rule() -> dict[str, object]:
    return {
        "tax_rule_id": "US", "jurisdiction": "US", "category": "O", "rate": "0", "valid_from": _LONG_AGO, **_STAMP,
    }  # fmt: skip


def _card(card: str, rows: list[RateRow], *, firm: bool) -> dict[str, object]:
    lines = [
        {
            "line_id": f"L{n}",
            "labor_category": row.id if row.selector == "labor_category" else None,
            "unit": "hour",
            "amount": f"{row.units / 10_000:.4f}",
            "valid_from": row.valid_from.isoformat(),
            "valid_to": row.valid_to.isoformat(),
        }
        for n, row in enumerate(rows)
    ]
    return {
        "rate_card_id": card, "name": card, "currency": "USD", "is_firm_default": firm, "lines": lines, **_STAMP,
    }  # fmt: skip


def _engagement(n: int, card: str | None) -> dict[str, object]:
    return {
        "engagement_id": project_id(n), "client_id": f"CL-{n % CLIENTS:03d}", "name": f"Project {n}",
        "status": "active", "starts_on": _LONG_AGO, "currency": "USD", "legal_entity": f"LE-{n % 3}",
        "seller_country": "US", "seller_tax_jurisdiction": "US", "billing_method": "time_and_materials",
        "rate_card_id": card, "discount_percent": "0", "hours_per_day": "8", "day_rule": "prorata",
        "rounding": {"increment_minutes": 1, "mode": "nearest", "scope": "entry"}, "multipliers": {},
        "milestones": [], "outcomes": [], "owner": "owner@example.com", **_STAMP,
    }  # fmt: skip


def _task(n: int) -> dict[str, object]:
    return {
        "task_id": f"T-{n:05d}", "engagement_id": project_id(n), "code": f"T-{n:05d}", "name": "Work",
        "billable": True, **_STAMP,
    }  # fmt: skip
