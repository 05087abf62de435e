"""Charges that a person keeps out of invoices for a while (DOMAIN.md §4.11)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from streaming.topic_reader import read_all
from topics.records import valid

TOPIC = "billing.holds"


@dataclass(frozen=True, slots=True)
class Holds:
    """The holds on an issue date: whole engagements, and subjects of others as (engagement, subject)."""

    engagements: frozenset[str] = frozenset()
    subjects: frozenset[tuple[str, str]] = frozenset()

    def keeps_back(self, engagement_id: str, subject: str) -> bool:
        """Whether a charge of the subject stays out of drafts and runs."""
        return engagement_id in self.engagements or (engagement_id, subject) in self.subjects


def holds_on(records: Iterable[Mapping[str, Any]], issue_date: date) -> Holds:
    """The holds among records of `billing.holds` in the order of their topic; the highest revision of each counts.

    A hold with `until` holds for issue dates before that day (DOMAIN.md §4.11).
    """
    latest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for record in records:
        key = record["engagement_id"], record["hold_id"]
        if key not in latest or record["revision"] > latest[key]["revision"]:
            latest[key] = record
    holding = [each for each in latest.values() if _holds(each, issue_date)]
    return Holds(
        frozenset(each["engagement_id"] for each in holding if not each["subject"]),
        frozenset((each["engagement_id"], each["subject"]) for each in holding if each["subject"]),
    )


def read_holds(broker: str, issue_date: date) -> Holds:
    """The holds on an issue date, from the topic."""
    return holds_on((value for _, value in valid(read_all(broker, [TOPIC]))), issue_date)


def _holds(record: Mapping[str, Any], issue_date: date) -> bool:
    return record["status"] == "held" and (record["until"] is None or issue_date < record["until"])
