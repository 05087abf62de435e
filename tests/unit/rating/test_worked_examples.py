"""The worked inputs settle to their ledgers, line by line and field by field."""

import pytest
from worked_examples import FOLDER, lines, load

from assurance.ledger_line import ledger_line
from rating.scope import by_scope
from rating.settle import settle

NAMES = ["time-and-materials", "all-features", "second-edition"]


@pytest.mark.parametrize("name", NAMES)
def test_settles_to_the_worked_ledger(name: str) -> None:
    facts, masters = load(name)
    made = [
        ledger_line(settlement)
        for engagement_id, of_engagement in facts.items()
        for settlement in settle(engagement_id, of_engagement, masters).subjects.values()
    ]
    made.sort(key=lambda line: (line["engagement_id"], line["subject"]))
    worked = lines(FOLDER / name / "ledger.jsonl.gz")
    assert [list(line) for line in made[:1]] == [list(line) for line in worked[:1]]
    assert {_at(line): line for line in made} == {_at(line): line for line in worked}
    assert [_at(line) for line in made] == [_at(line) for line in worked]


@pytest.mark.parametrize("name", NAMES)
def test_each_scope_settles_alone_to_the_same(name: str) -> None:
    facts, masters = load(name)
    for engagement_id, of_engagement in facts.items():
        scopes = by_scope(of_engagement, masters.engagements.get(engagement_id))
        apart = [
            settle(engagement_id, of_scope, masters, of_engagement.periods).subjects for of_scope in scopes.values()
        ]
        together = settle(engagement_id, of_engagement, masters).subjects
        assert {subject: one for subjects in apart for subject, one in subjects.items()} == together


def _at(line: dict[str, object]) -> tuple[object, object]:
    return line["engagement_id"], line["subject"]
