"""The rule of the job for one entry: joined with its project, priced by its dated rate, to the cent."""

from decimal import Decimal
from typing import Any

from benchmarks.enrichment.masters import Masters, Rate


class Unpriced(ValueError):
    """An entry whose project or rate is not known; the generator makes none."""


def enrich(masters: Masters, entry: dict[str, Any]) -> dict[str, object]:
    """The billed record of an entry; Unpriced where a master is missing."""
    project = masters.projects.get(entry["project_id"])
    if project is None:
        raise Unpriced(f"{entry['entry_id']}: no project {entry['project_id']}")
    priced_by, rate = _rate(masters, entry)
    return {
        "entry_id": entry["entry_id"],
        "project_id": entry["project_id"],
        "task_id": entry["task_id"],
        "consultant_id": entry["consultant_id"],
        "client_id": project.client_id,
        "legal_entity": project.legal_entity,
        "cost_center": project.cost_center,
        "work_date": entry["work_date"],
        "minutes": entry["minutes"],
        "labor_category": entry["labor_category"],
        "billable": entry["billable"],
        "approved_by": entry["approved_by"],
        "note": entry["note"],
        "priced_by": priced_by,
        "rate": rate.amount,
        "rate_valid_from": rate.valid_from,
        "amount": Decimal(cents(rate.units, entry["minutes"])).scaleb(-2),
        "currency": project.currency,
        "source": entry["source"],
        "occurred_at": entry["occurred_at"],
    }


def cents(rate_units: int, minutes: int) -> int:
    """rate (ten-thousandths an hour) x minutes / 60, half away from zero; neither is negative."""
    return (2 * rate_units * minutes + 6000) // 12000


def _rate(masters: Masters, entry: dict[str, Any]) -> tuple[str, Rate]:
    """The project's own rate of the day, else its labor category's."""
    day = entry["work_date"]
    own = masters.by_project.get(entry["project_id"])
    if own is not None and (rate := own.on(day)) is not None:
        return "project", rate
    general = masters.by_labor_category.get(entry["labor_category"])
    if general is not None and (rate := general.on(day)) is not None:
        return "labor_category", rate
    raise Unpriced(f"{entry['entry_id']}: no rate on {day}")
