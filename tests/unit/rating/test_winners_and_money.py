"""DOMAIN §1: which revision counts; and money as exact rationals rounded once."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from billing_contracts import CLIENT, entry, outcome
from hypothesis import given
from hypothesis import strategies as st

from common.decimals import plain
from rating.model.facts import Fact, Origin, fact, identity, subject_of
from rating.model.master_data import Master, OutcomeTerms, Tier
from rating.model.master_records import master
from rating.model.money import minor_units, rounded, shares
from rating.model.revision_order import resolve_revision

LATER = datetime(2025, 1, 1, tzinfo=UTC)
SEEN = entry(revision=2)


@pytest.mark.parametrize(
    ("current", "incoming", "verdict"),
    [
        (None, SEEN, "replaced"),
        (SEEN, entry(revision=3, minutes=1), "replaced"),
        (SEEN, entry(revision=1), "kept"),
        (SEEN, replace(SEEN, occurred_at=LATER, origin=Origin("time.entries", 0, 9, 0)), "duplicate"),
        (SEEN, entry(revision=2, minutes=61), "conflict"),
        (SEEN, entry(revision=2, note="other"), "conflict"),
        (SEEN, entry(revision=2, source="other"), "conflict"),
        (CLIENT, replace(CLIENT, occurred_at=LATER), "duplicate"),
        (CLIENT, replace(CLIENT, vat_id="X"), "conflict"),
    ],
)
def test_the_highest_revision_wins_and_of_equal_ones_the_first_seen(
    current: Fact | Master | None, incoming: Fact | Master, verdict: str
) -> None:
    assert resolve_revision(current, incoming) == verdict


ADA, GRACE = "person:" + "a" * 26, "person:" + "b" * 26


@pytest.mark.parametrize(
    ("said", "now", "verdict"),
    [
        (f"sealed:{ADA}:abc_-9", f"erased:{ADA}", "duplicate"),
        (f"erased:{ADA}", f"sealed:{ADA}:abc_-9", "duplicate"),
        (f"sealed:{ADA}:abc sealed:{ADA}:def", f"erased:{ADA} erased:{ADA}", "duplicate"),
        (f"sealed:{ADA}:abc", f"sealed:{ADA}:def", "conflict"),
        (f"sealed:{ADA}:abc", f"erased:{GRACE}", "conflict"),
        (f"sealed:{ADA}:abc", f"erased:{ADA} erased:{ADA}", "conflict"),
        ("in clear", f"erased:{ADA}", "conflict"),
        (None, f"erased:{ADA}", "conflict"),
    ],
)
def test_what_came_again_erased_says_the_same(said: str | None, now: str | None, verdict: str) -> None:
    assert resolve_revision(entry(revision=2, note=said), entry(revision=2, note=now)) == verdict
    assert resolve_revision(entry(revision=2, note=said), entry(revision=2, note=now, minutes=61)) == "conflict"


def test_a_number_written_otherwise_is_the_same_content() -> None:
    assert resolve_revision(outcome("o", "1.0"), outcome("o", "1.000000")) == "duplicate"


def test_records_become_facts_and_masters() -> None:
    record = {
        **{"entry_id": "t1", "engagement_id": "E1", "task_id": "T1", "consultant_id": "C1", "minutes": 60},
        **{"work_date": SEEN.work_date, "labor_category": None, "billable": True, "status": "approved"},
        **{"approved_by": None, "note": None, "source": "tempo", "revision": 2, "occurred_at": LATER},
    }
    origin = Origin("time.entries", 0, 1, 2)
    made = fact("time.entries", record, origin)
    assert made == SEEN
    assert (made.origin, identity(made), subject_of(made)) == (origin, "t1", "time:t1")
    with pytest.raises(TypeError, match="minutes"):
        fact("time.entries", {key: value for key, value in record.items() if key != "minutes"})
    with pytest.raises(KeyError):
        fact("invoice.status", record)
    tier: dict[str, object] = {"up_to": None, "unit_price": Decimal(1), "flat_fee": Decimal(0)}
    terms = {"metric": "calls", "model": "volume", "tiers": [tier]}
    contract = {
        **{"engagement_id": "E1", "client_id": "CL1", "name": "x", "status": "active", "currency": "USD"},
        **{"starts_on": SEEN.work_date, "legal_entity": "LE", "seller_country": "US", "seller_tax_jurisdiction": "US"},
        **{"billing_method": "outcome", "discount_percent": Decimal(0), "hours_per_day": Decimal(8)},
        **{"rounding": {"increment_minutes": 1, "mode": "up", "scope": "entry"}, "day_rule": "prorata"},
        **{"multipliers": {"weekend": None}, "milestones": [], "outcomes": [terms], "cap": None},
        **{"owner": "o", "source": "psa", "revision": 1, "occurred_at": LATER},
    }
    made_contract = master("master.engagements", contract)
    expected = OutcomeTerms(metric="calls", model="volume", tiers=(Tier(unit_price=Decimal(1), flat_fee=Decimal(0)),))
    assert getattr(made_contract, "outcomes", None) == (expected,)


@pytest.mark.parametrize(
    ("currency", "digits"), [("JPY", 0), ("USD", 2), ("KWD", 3), ("CLF", 4), ("ISK", 0), ("EUR", 2), ("TND", 3)]
)
def test_minor_units(currency: str, digits: int) -> None:
    assert minor_units(currency) == digits


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.005", "0.01"), ("-0.005", "-0.01"), ("0.0049", "0.00"), ("-0.0049", "0.00"), ("2.675", "2.68"), ("0", "0.00")],
)
def test_half_away_from_zero(amount: str, text: str) -> None:
    assert str(rounded(Fraction(amount), "USD")) == text


def test_large_amounts_keep_every_digit() -> None:
    assert str(rounded(Fraction("12345678901234567890123456789012.345"), "USD")) == (
        "12345678901234567890123456789012.35"
    )


@given(st.fractions(-(10**9), 10**9), st.sampled_from(["JPY", "USD", "KWD"]))
def test_rounding_is_symmetric_and_within_half_a_unit(amount: Fraction, currency: str) -> None:
    found = Fraction(rounded(amount, currency))
    assert Fraction(rounded(-amount, currency)) == -found
    assert abs(found - amount) <= Fraction(1, 2 * 10 ** minor_units(currency))


@given(st.decimals(-(10**6), 10**6, places=2), st.lists(st.fractions(0, 1000), min_size=1, max_size=9))
def test_shares_sum_to_the_total_where_there_is_a_part(total: Decimal, parts: list[Fraction]) -> None:
    found = shares(total, parts, "USD")
    assert sum(found) == (total if any(parts) else 0)
    assert [share for share, part in zip(found, parts, strict=True) if not part and share] == []


def test_rule_8a_a_share_is_the_difference_of_two_rounded_leading_sums() -> None:
    parts = [Fraction(1), Fraction(1), Fraction(1)]
    assert [str(share) for share in shares(Decimal("500.00"), parts, "USD")] == ["166.67", "166.66", "166.67"]
    assert [str(share) for share in shares(Decimal("-500.00"), parts, "USD")] == ["-166.67", "-166.66", "-166.67"]


@pytest.mark.parametrize(
    ("number", "text"),
    [("20.000000", "20"), ("58.374271", "58.374271"), ("0.00", "0"), ("-0", "0"), ("1E+2", "100"), ("-1.50", "-1.5")],
)
def test_plain_text_of_a_decimal(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text
