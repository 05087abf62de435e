"""Names on documents, and what stands in for those that are not known."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from invoicing.draft import DocumentKey, LineDraft, LineKey
from invoicing.parties import Names, Party, buyer, filled, line_name, line_note, seller
from rating.model.master_data import Address, Client, LegalEntity, Task

ABOUT = {"source": "crm", "revision": 1, "occurred_at": datetime(2025, 1, 1, tzinfo=UTC)}
ACCOUNT = DocumentKey("LE-1", "C-1", "E-1", "EUR", False)


def key(subject: str | None = None, **fields: object) -> LineKey:
    """What a line has in common; time unless a subject is named."""
    about: dict[str, object] = {
        "engagement_id": "E-1",
        "period": "2025-03",
        "kind": "time",
        "task_id": "T-1",
        "labor_category": "Senior",
        "subject": subject,
        "rate": Decimal("104.000000"),
        "rate_unit": "hour",
        "multiplier": Decimal("1.000000"),
        "reason": None,
        "tax_category": "S",
        "tax_rate": Decimal(20),
    }
    return LineKey(**(about | fields))  # type: ignore[arg-type]


def line(of: LineKey, *credited: str) -> LineDraft:
    """A line of one hour."""
    return LineDraft(of, Decimal(1), "HUR", Decimal(104), Decimal(104), credited)


def test_parties_are_the_masters() -> None:
    address = Address(street="Ring 1", city="Wien", postcode="1010", country="AT")
    entity = LegalEntity(
        legal_entity_id="LE-1",
        name="Seller Ltd",
        country="AT",
        tax_jurisdiction="AT",
        vat_id="ATU1",
        registration_id="FN 1",
        address=address,
        **ABOUT,
    )
    client = Client(
        client_id="C-1",
        name="Buyer",
        country="DE",
        region="EMEA",
        tax_jurisdiction="DE",
        currency="EUR",
        payment_terms_days=30,
        **ABOUT,
    )
    names = Names(clients={"C-1": client}, legal_entities={"LE-1": entity})
    assert seller(ACCOUNT, names) == Party("LE-1", "Seller Ltd", "AT", "Ring 1", "Wien", "1010", "ATU1", "FN 1")
    assert buyer(ACCOUNT, names) == Party("C-1", "Buyer", "DE")


def test_ids_stand_in_for_masters_that_are_not_known() -> None:
    assert seller(ACCOUNT, Names()) == Party("LE-1", "LE-1")
    assert buyer(ACCOUNT, Names()) == Party("C-1", "C-1")


def test_what_was_not_known_at_issue_is_filled_in_and_nothing_else_changes() -> None:
    known = Party("C-1", "Buyer", "DE", city="Bonn", vat_id="DE1")
    assert filled(Party("C-1", "C-1"), known) == known
    assert filled(Party("C-1", "Former name", "AT"), known) == Party(
        "C-1", "Former name", "AT", city="Bonn", vat_id="DE1"
    )


def test_lines_are_called_by_their_task_or_their_subject() -> None:
    task = Task(task_id="T-1", engagement_id="E-1", code="T", name="Design", billable=True, **ABOUT)
    assert line_name(key(), Names(tasks={"T-1": task})) == "Design"
    assert line_name(key(), Names()) == "T-1"
    assert line_name(key(task_id=None), Names()) == "Time"
    assert line_name(key("fee:2025-03", kind="fee", task_id=None), Names()) == "Fee 2025-03"


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({}, "Senior, 104 EUR per hour"),
        ({"multiplier": Decimal("1.5")}, "Senior, 104 EUR per hour, times 1.5"),
        ({"reason": "COVERED_BY_RETAINER"}, "Senior, 104 EUR per hour, included in the retainer"),
        ({"labor_category": None, "rate": None}, None),
    ],
)
def test_notes_say_how_a_line_was_priced(fields: dict[str, object], note: str | None) -> None:
    assert line_note(line(key(**fields)), ACCOUNT, Names()) == note


def test_notes_name_what_a_line_credits_as_far_as_a_reader_follows() -> None:
    bare = key(labor_category=None, rate=None)
    assert line_note(line(bare, "time:e1", "time:e2"), ACCOUNT, Names()) == "credits time:e1 time:e2"
    many = line_note(line(bare, *(f"time:{n}" for n in range(12))), ACCOUNT, Names())
    assert many == "credits " + " ".join(f"time:{n}" for n in range(10)) + " and 2 more"
