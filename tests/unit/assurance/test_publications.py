"""What must be published of charges, and once: every departure is named."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from assurance.publications import Announcements, doubled, out_of_order
from rating.model.ids import charge_id
from streaming.batch import Record

E, S = "E1", "time:1"


def published(*steps: tuple[int, str]) -> list[dict[str, object]]:
    """Charges and reversals by number."""
    return [
        {
            "charge_id": charge_id(E, S, n, what),
            "reverses": charge_id(E, S, n, "charge") if what == "reversal" else None,
        }
        for n, what in steps
    ]


GOOD = published((1, "charge"), (1, "reversal"), (2, "charge"), (2, "reversal"), (3, "charge"))


def test_charges_that_follow_each_other_are_right() -> None:
    for length in range(len(GOOD) + 1):
        assert list(out_of_order({(E, S): GOOD[:length]})) == []
    assert list(doubled([GOOD])) == []


@pytest.mark.parametrize(
    "records",
    [
        [GOOD[0], GOOD[0]],
        [GOOD[0], GOOD[2]],
        GOOD[1:],
        [GOOD[0], GOOD[1], GOOD[1]],
        [GOOD[2]],
        [GOOD[0], GOOD[1], GOOD[4]],
        [{**GOOD[0], "charge_id": "other"}],
        [GOOD[0], {**GOOD[1], "reverses": "other"}],
    ],
)
def test_any_other_order_is_named_once(records: Sequence[Mapping[str, Any]]) -> None:
    assert len(list(out_of_order({(E, S): records}))) == 1


def test_a_charge_published_twice_is_named() -> None:
    assert list(doubled([[*GOOD, GOOD[0]], []])) == [f"{GOOD[0]['charge_id']} 2 times"]


def said(*records: tuple[str, dict[str, Any], bytes | None]) -> Announcements:
    """Announcements of these, each with the number of its outbox row or none."""
    found = Announcements()
    for offset, (topic, value, number) in enumerate(records):
        headers = (("outbox", number),) if number else ()
        found.take(Record(topic, 0, offset, 0, b"", repr(value).encode(), headers), value)
    return found


def posting(revision: int, charge: str = "c1") -> dict[str, Any]:
    """What an ERP says of a charge."""
    return {"posting_id": f"p-{charge}", "charge_id": charge, "revision": revision}


def test_announcements_once_each_are_right() -> None:
    found = said(("erp.postings", posting(1), b"1"), ("erp.postings", posting(2), b"2"))
    assert list(found.faults(["c1"])) == []
    repeated = said(("erp.postings", posting(1), b"1"), ("erp.postings", posting(1), b"1"))
    assert (list(repeated.faults(["c1"])), repeated.repeated) == ([], 1)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (("erp.postings", posting(1), b"2"), "erp.postings says revision 1 of p-c1 2 times"),
        (("erp.postings", posting(1), None), "erp.postings says revision 1 of p-c1 2 times"),
        (("erp.postings", posting(3), b"2"), "erp.postings skips a revision of p-c1: [1, 3]"),
        (("erp.postings", posting(1, "c9"), b"2"), "erp.postings speaks of p-c9, whose charge c9 was never published"),
    ],
)
def test_an_announcement_too_many_is_named(second: tuple[str, dict[str, Any], bytes | None], told: str) -> None:
    assert list(said(("erp.postings", posting(1), b"1"), second).faults(["c1"])) == [told]


def test_the_same_state_of_an_exception_twice_in_a_row_is_named() -> None:
    opened, closed = ({"exception_id": "x", "status": status} for status in ("open", "resolved"))
    again = [("billing.exceptions", value, None) for value in (opened, closed, opened)]
    assert list(said(*again).faults([])) == []
    assert len(list(said(*again, again[-1]).faults([]))) == 1
