"""DOMAIN §3: what a charge carries, when another is published, ids, lineage and the sentences."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from billing_contracts import (
    CLIENT,
    CONSULTANT,
    ENGAGEMENT,
    MONDAY,
    SATURDAY,
    TASK,
    TAX_RULE,
    calendar,
    card,
    charges,
    engagement,
    entry,
    expense,
    fx,
    line,
    masters_of,
    minutes_of,
    only,
    policy,
    settled,
)

from assurance.ledger_line import ledger_line
from rating.model.facts import Origin, gathered
from rating.model.ids import charge_id, exception_id, posting_id
from rating.model.master_data import Cap, Multipliers, Retainer, Rounding
from rating.model.masters import lookups_touched
from rating.settle import Charge, negated, same_billing, settle

ROUNDED = engagement(
    rounding=Rounding(increment_minutes=15, mode="up", scope="entry"),
    multipliers=Multipliers(weekend=Decimal("1.5")),
    discount_percent=Decimal(5),
    po_number="PO-1",
)


def charge() -> Charge:
    lines = card(line("2", "80", labor_category="Engineer"), line("7", "120", task_id="T1"))
    origin = Origin("time.entries", 3, 42, 1_700_000_000_000)
    fact = entry(minutes=47, work_date=SATURDAY, approved_by="boss", origin=origin)
    return charges(masters_of(ROUNDED, lines), fact)["t1"]


def test_a_charge_carries_what_it_was_made_from() -> None:
    one = charge()
    assert (one.subject, one.kind, one.period, one.approved_by) == ("time:t1", "time", "2024-01", "boss")
    assert (one.client_id, one.legal_entity, one.po_number, one.region) == ("CL1", "LE1", "PO-1", "AMER")
    assert (one.rate, one.rate_unit, one.multiplier) == (Decimal(120), "hour", Decimal("1.5"))
    assert (one.worked_minutes, one.billable_minutes, str(one.amount)) == (47, 60, "171.00")
    assert (one.lineage.topic, one.lineage.partition, one.lineage.offset) == ("time.entries", 3, 42)
    assert [(used.kind, used.id, used.line_id) for used in one.lineage.masters] == [
        ("engagement", "E1", None),
        ("client", "CL1", None),
        ("task", "T1", None),
        ("consultant", "C1", None),
        ("rate_card", "RC-1", "7"),
        ("tax_rule", "TX-NY", None),
    ]


def test_the_derivation_is_what_a_billing_clerk_reads() -> None:
    assert charge().derivation == (
        "card RC-1 line 7 (task) beat line 2 (labor category): 120 USD per hour; 47 min up to 60 by 15; "
        "60 min x 1.5 (weekend) less 5 % = 171.00 USD; tax S 8.875 % by rule TX-NY of US-NY."
    )


def test_the_derivation_tells_of_agreed_minutes_retainer_and_cap() -> None:
    contract = engagement(
        billing_method="retainer",
        retainer=Retainer(included_minutes=20, monthly_fee=Decimal(1), rollover_months=0),
        cap=Cap(amount=Decimal(10), policy="absorb"),
    )
    found = charges(masters_of(contract), entry(), minutes_of("t1", 50))["t1"]
    assert found.derivation == (
        "card RC-1 line 1 (any work): 100 USD per hour; 60 min, agreed as 50 by adjustment a1; "
        "20 min covered by the retainer, 30 min = 50.00 USD; the cap leaves 10.00 USD; "
        "tax S 8.875 % by rule TX-NY of US-NY."
    )


def test_the_derivation_of_time_that_costs_nothing() -> None:
    unbillable = charges(masters_of(), entry(minutes=47, billable=False))["t1"]
    assert unbillable.derivation == "the entry is marked not billable; 47 min recorded."
    covered = charges(masters_of(engagement(billing_method="fixed_fee")), entry(minutes=47))["t1"]
    assert covered.derivation.startswith("time is covered by the fixed fee terms; 47 min; tax S")


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "x"},
        {"legal_entity": "x"},
        {"consultant_id": None},
        {"task_id": "x"},
        {"labor_category": None},
        {"work_date": date(2024, 1, 1)},
        {"worked_minutes": 1},
        {"billable_minutes": 1},
        {"rate": None},
        {"rate_unit": "day"},
        {"multiplier": Decimal(2)},
        {"currency": "EUR"},
        {"amount": Decimal(1)},
        {"reason": "OVER_CAP"},
        {"tax_category": "Z"},
        {"tax_rate": Decimal(0)},
        {"components": ()},
    ],
)
def test_a_difference_in_what_is_billed_is_something_else(change: dict[str, object]) -> None:
    assert not same_billing(charge(), replace(charge(), **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"po_number": None}, {"approved_by": "x"}, {"derivation": "x"}, {"region": "EMEA"}, {"period": "x"}]
)
def test_a_difference_in_the_rest_publishes_nothing(change: dict[str, object]) -> None:
    assert same_billing(charge(), replace(charge(), **change))  # type: ignore[arg-type]


def test_a_reversal_negates_amounts_and_minutes_and_nothing_else() -> None:
    one = charge()
    back = negated(one)
    assert (back.worked_minutes, back.billable_minutes, str(back.amount)) == (-47, -60, "-171.00")
    assert [(part.minutes, str(part.amount), part.rate) for part in back.components] == [(-60, "-171.00", Decimal(120))]
    assert negated(back) == one
    assert str(negated(charges(masters_of(), entry(minutes=0))["t1"]).amount) == "0.00"


def test_ids_are_the_same_every_time_and_apart_for_every_publication() -> None:
    first = charge_id("E1", "time:t1", 1, "charge")
    assert UUID(first).version == 5
    assert first == charge_id("E1", "time:t1", 1, "charge")
    others = {charge_id("E1", "time:t1", 1, "reversal"), charge_id("E1", "time:t1", 2, "charge")}
    others |= {charge_id('E1","time:t1', "", 1, "charge"), charge_id("E1", "time:é", 1, "charge")}
    others |= {exception_id("E1", "time:t1"), posting_id(first, "journal"), posting_id(first, "tryton")}
    assert len(others | {first}) == 8


def test_lookups_name_every_master_asked_for_found_or_not() -> None:
    contract = engagement(expense_policy_id="POL", rate_card_id=None, holiday_calendar="CAL")
    client = replace(CLIENT, default_rate_card_id="RC-2")
    facts = gathered([entry(), entry("t2", task_id="T-NONE"), expense("1", "JPY")])
    records = (contract, client, TASK, CONSULTANT, card(line(task_id="T9"), rate_card_id="RC-2"), policy())
    assert settle("E1", facts, only(*records)).lookups == {
        *("engagement:E1", "client:CL1", "task:T1", "task:T-NONE", "consultant:C1"),
        *("card:RC-2", "firm-cards", "policy:POL"),
    }
    assert settle("E9", gathered([]), only()).lookups == {"engagement:E9"}
    pairs = settle("E1", gathered([expense("1", "JPY")]), masters_of(fx("EUR", "JPY", "160"))).lookups
    assert pairs == {
        *("engagement:E1", "client:CL1", "fx:JPY:USD", "fx:USD:JPY"),
        *("fx:JPY:EUR", "fx:EUR:JPY", "fx:EUR:USD", "fx:USD:EUR"),
    }
    full = settle("E1", gathered([entry()]), masters_of(engagement(holiday_calendar="CAL"), calendar())).lookups
    assert full == {
        *("engagement:E1", "client:CL1", "task:T1", "consultant:C1", "card:RC-1", "calendar:CAL", "tax:US-NY"),
    }


def test_a_change_of_a_master_touches_the_look_ups_of_both_its_states() -> None:
    moved = replace(TAX_RULE, jurisdiction="US-NJ")
    assert lookups_touched("master.tax-rules", TAX_RULE, moved) == {"tax:US-NY", "tax:US-NJ"}
    assert lookups_touched("master.rate-cards", None, card()) == {"card:RC-1"}
    assert lookups_touched("master.rate-cards", card(firm=True), card()) == {"card:RC-1", "firm-cards"}
    assert lookups_touched("master.fx-rates", None, fx("EUR", "USD", "1")) == {"fx:EUR:USD"}
    assert lookups_touched("master.engagements", None, ENGAGEMENT) == {"engagement:E1"}
    assert lookups_touched("master.clients", None, CLIENT) == {"client:CL1"}


def test_a_snapshot_changes_without_changing_the_one_before() -> None:
    before = masters_of()
    after = before.with_records([("master.rate-cards", "RC-1", card(line(amount="200")))])
    assert charges(before, entry())["t1"].amount == Decimal(100)
    assert charges(after, entry())["t1"].amount == Decimal(200)
    later = after.with_records([("master.fx-rates", f"EUR:USD:{MONDAY}", fx("EUR", "USD", "2"))])
    assert charges(later, expense("1", "EUR"))["x1"].amount == Decimal(2)
    corrected = later.with_records([("master.fx-rates", f"EUR:USD:{MONDAY}", fx("EUR", "USD", "3"))])
    assert charges(corrected, expense("1", "EUR"))["x1"].amount == Decimal(3)
    assert charges(later, expense("1", "EUR"))["x1"].amount == Decimal(2)


def test_ledger_lines_of_a_parked_and_of_a_part_charged_subject() -> None:
    parked = settled(masters_of(), entry(task_id="T-NONE"))["time:t1"]
    assert ledger_line(parked) == {
        "subject": "time:t1",
        "engagement_id": "E1",
        "state": "parked",
        "amount": "0",
        "currency": None,
        "worked_minutes": 60,
        "billable_minutes": 0,
        "tax_category": None,
        "tax_rate": None,
        "code": "UNKNOWN_TASK",
        "reason": None,
    }
    part = settled(masters_of(engagement(cap=Cap(amount=Decimal(10), policy="park"))), entry())["time:t1"]
    line_of_part = ledger_line(part)
    assert (line_of_part["state"], line_of_part["amount"], line_of_part["code"]) == ("charged", "10.00", "CAP_EXCEEDED")
    assert line_of_part["tax_rate"] == "8.875"
