"""Tax rules of the EU states, Great Britain and the United States, from the reference data beside this module.

The standard rate of each state counts from the day that the data names, but from 2015 at the earliest: for the days
before, the data has no more than one rate. Sales within the United States carry no tax here (category O): sales tax on
services is a matter of each state.
"""

import json
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from typing import Any

FIRST_DAY = date(2015, 1, 1)
_US = {
    "tax_rule_id": "US-O",
    "jurisdiction": "US",
    "category": "O",
    "rate": "0",
    "reason": "No sales tax on professional services",
    "valid_from": FIRST_DAY.isoformat(),
}


def tax_rules() -> Iterator[dict[str, Any]]:
    """Records of `master.tax-rules` in JSON form, by jurisdiction and day."""
    held = files("sources.workbook").joinpath("reference/vat-rates.json").read_text(encoding="utf-8")
    states: dict[str, list[dict[str, Any]]] = json.loads(held)["items"]
    for state, periods in sorted(states.items()):
        yield from _of_state(state, periods)
    yield _US


def _of_state(state: str, periods: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    rates: list[tuple[date, str]] = []
    for period in sorted(periods, key=lambda each: str(each["effective_from"])):
        rate = str(period["rates"]["standard"])
        day = _day(str(period["effective_from"]))
        if rates and rates[-1][0] == day:
            rates[-1] = (day, rate)
        elif not rates or rates[-1][1] != rate:
            rates.append((day, rate))
    ends = [*(day for day, _ in rates[1:]), None]
    for (day, rate), end in zip(rates, ends, strict=True):
        if end is not None and end <= day:
            continue
        rule = {
            "tax_rule_id": f"{state}-{day.isoformat()}",
            "jurisdiction": state,
            "category": "S",
            "rate": rate,
            "valid_from": day.isoformat(),
        }
        yield rule if end is None else {**rule, "valid_to": end.isoformat()}


def _day(text: str) -> date:
    """The day a rate begins; `0000-01-01` of the data means always."""
    return FIRST_DAY if text < FIRST_DAY.isoformat() else date.fromisoformat(text)
