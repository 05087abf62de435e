"""Moments that a person writes, and the ledger's differences subject by subject."""

from datetime import UTC, datetime

import pytest

from assurance.as_known import moment
from assurance.ledger_difference import by_subject, subject_changes


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-03-31", datetime(2024, 3, 31, 23, 59, 59, 999_000, UTC)),
        ("2024-03-31T18:00:00Z", datetime(2024, 3, 31, 18, tzinfo=UTC)),
        ("2024-03-31T18:00:00.250+02:00", datetime(2024, 3, 31, 16, 0, 0, 250_000, UTC)),
        ("2024-03-31T18:00", datetime(2024, 3, 31, 18, tzinfo=UTC)),
    ],
)
def test_a_moment_is_an_instant_or_the_end_of_a_day(text: str, at: datetime) -> None:
    assert moment(text) == at


@pytest.mark.parametrize("text", ["", "yesterday", "2024-02-30", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00"])
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write 2024-03-31T18:00:00Z"):
        moment(text)


def test_subjects_that_differ_are_named_with_both_lines() -> None:
    def line(subject: str, state: str) -> dict[str, object]:
        return {"engagement_id": "E1", "subject": subject, "state": state}

    old = by_subject([line("time:1", "parked"), line("time:2", "charged"), line("time:3", "void")])
    new = by_subject([line("time:1", "charged"), line("time:2", "charged"), line("time:4", "pending")])
    found = subject_changes(old, new, {"E1": "CL"})
    assert [(each.client_id, each.subject, each.before, each.after) for each in found] == [
        ("CL", "time:1", line("time:1", "parked"), line("time:1", "charged")),
        ("CL", "time:3", line("time:3", "void"), None),
        ("CL", "time:4", None, line("time:4", "pending")),
    ]
