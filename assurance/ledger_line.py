"""A line of `ledger.jsonl`: the settlement of a subject (DESIGN.md §7), as JSON values in the file's key order."""

from common.decimals import plain
from rating.model.charge import Settlement


def ledger_line(settlement: Settlement) -> dict[str, object]:
    """The line of one subject; amounts and rates are text, `code` is that of its open or waived exception."""
    line: dict[str, object] = {
        "subject": settlement.subject,
        "engagement_id": settlement.engagement_id,
        "state": settlement.state,
        "amount": "0",
        "currency": None,
        "worked_minutes": settlement.worked_minutes,
        "billable_minutes": 0,
        "tax_category": None,
        "tax_rate": None,
        "code": settlement.parked.code if settlement.parked else None,
        "reason": None,
    }
    charge = settlement.charge
    if charge is not None:
        line |= {
            "amount": format(charge.amount, "f"),
            "currency": charge.currency,
            "billable_minutes": charge.billable_minutes,
            "tax_category": charge.tax_category,
            "tax_rate": None if charge.tax_rate is None else plain(charge.tax_rate),
            "reason": charge.reason,
        }
    return line
