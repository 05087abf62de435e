"""That the judge of the fault cycles sees what there is to see: a charge gone, one twice, one reversed for nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from assurance.ledger_reader import READY, Books
from schemas.codec import decode_for
from tests.faults.verdict import Findings, _books, _charges
from tests.unit.tables.contents import MASTERS, entry, numbered
from tests.unit.tables.stream import Stream

Told = list[dict[str, Any]]


def judged(tamper: Callable[[Told], Told]) -> Findings:
    """What is found on the books of an entry, corrected once, and of another, after `tamper` changed the charges."""
    stream = Stream()
    for each in [*numbered(MASTERS), *numbered([entry("E1", "1", 60), entry("E1", "1", 90), entry("E1", "2", 30)])]:
        stream.deliver([each])
    told = [decode_for(output.topic, output.value or b"") for output in stream.outputs if output.topic == READY]
    books, findings = Books(facts=stream.books.facts, masters=stream.books.masters), Findings()
    for charge in tamper(told):
        books.charges.setdefault((charge["engagement_id"], charge["subject"]), []).append(charge)
    _charges(findings, books)
    _books(findings, books)
    return findings


def test_what_settle_published_is_clean() -> None:
    assert judged(lambda told: told) == Findings()


@pytest.mark.parametrize("gone", range(4))
def test_a_charge_or_reversal_gone_is_lost(gone: int) -> None:
    findings = judged(lambda told: told[:gone] + told[gone + 1 :])
    assert findings.lost or findings.doubled
    assert findings.lost or gone == 1, "only a missing reversal leaves too much"


@pytest.mark.parametrize("again", range(4))
def test_a_charge_or_reversal_told_twice_is_doubled(again: int) -> None:
    assert judged(lambda told: [*told, told[again]]).doubled


def test_an_acknowledged_input_that_is_gone_is_lost() -> None:
    findings = Findings()
    findings.same("input", {}, {("time.entries", 0, 7): (b"E1", b"")})
    assert (len(findings.lost), findings.doubled) == (1, [])
