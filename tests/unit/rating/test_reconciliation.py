"""The four-way tie: what has a state is explained, and what has none is exactly the residue."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from assurance.reconciliation import AccountKey, HeldPosting, Hours, ReconciledCharge, Tie, reconcile

ACCOUNTS = [AccountKey(client, period, "EUR") for client in ("C-1", "C-2") for period in ("2025-03", "2025-04")]
AMOUNTS = st.integers(-500, 500).map(Decimal)
FATES = ("posted", "refused", "unread")
INVOICING = ("on_invoice", "not yet invoiced", "voided", "netted", "non billable")


@dataclass(frozen=True)
class Books:
    """A history whose every difference has a state."""

    hours: tuple[Hours, ...]
    charges: tuple[ReconciledCharge, ...]

    def lines(self) -> dict[AccountKey, Decimal]:
        """The invoice lines that the charges on invoices make."""
        found: dict[AccountKey, Decimal] = {}
        for charge in self.charges:
            if charge.invoicing == "on_invoice":
                found[charge.account] = found.get(charge.account, Decimal(0)) + charge.amount
        return found

    def tied(self) -> list[Tie]:
        return reconcile(self.hours, self.charges, self.lines())


@st.composite
def books(draw: st.DrawFn) -> Books:
    """Subjects that are charged or held, charges of one or two systems."""
    hours = []
    for n in range(draw(st.integers(0, 6))):
        account, minutes = draw(st.sampled_from(ACCOUNTS)), draw(st.integers(1, 600))
        if draw(st.booleans()):
            reason = draw(st.sampled_from([None, "NON_BILLABLE", "COVERED_BY_FEE", "OVER_CAP"]))
            hours.append(Hours(f"E/time:{n}", account, minutes, charged=minutes, reason=reason))
        else:
            why = draw(st.sampled_from(["parked NO_RATE", "waived NO_RATE"]))
            hours.append(Hours(f"E/time:{n}", account, minutes, held=minutes, why=why))
    charges = []
    for n in range(draw(st.integers(0, 6))):
        account, amount = draw(st.sampled_from(ACCOUNTS)), draw(AMOUNTS)
        systems = draw(st.sampled_from([("old",), ("new",), ("old", "new")]))
        postings: dict[str, HeldPosting | None] = {}
        for system in systems:
            fate = draw(st.sampled_from(FATES))
            postings[system] = None if fate == "unread" else HeldPosting(account, amount, fate)
        charges.append(
            ReconciledCharge(f"charge {n}", account, amount, systems, postings, draw(st.sampled_from(INVOICING)))
        )
    return Books(tuple(hours), tuple(charges))


def off(ties: Sequence[Tie]) -> set[str]:
    """Everything that does not tie, by name."""
    return {name for tie in ties for name in tie.off}


@given(books())
def test_what_has_a_state_ties_and_every_sum_is_there(made: Books) -> None:
    ties = made.tied()
    assert all(tie.ties for tie in ties), ties
    for tie in ties:
        assert tie.approved == sum(tie.minutes.values())
        assert tie.charges == tie.invoices + sum(tie.invoicing.values(), Decimal(0))
        for system, by_why in tie.journal.items():
            of_system = [c.amount for c in made.charges if c.account == tie.account and system in c.systems]
            assert sum(by_why.values(), Decimal(0)) == sum(of_system, Decimal(0))
    assert [tie.account for tie in ties] == sorted({each.account for each in (*made.hours, *made.charges)})


@given(books(), st.data())
def test_an_error_in_a_posting_is_exactly_what_does_not_tie(made: Books, data: st.DataObject) -> None:
    posted = [
        (n, system)
        for n, charge in enumerate(made.charges)
        for system, held in charge.postings.items()
        if held is not None and held.status == "posted"
    ]
    assume(posted)
    n, system = data.draw(st.sampled_from(posted))
    charge = made.charges[n]
    held = charge.postings[system]
    assert held is not None
    kind = data.draw(st.sampled_from(["amount", "account", "lost"]))
    elsewhere = next(account for account in ACCOUNTS if account != charge.account)
    wrong = {"amount": replace(held, amount=held.amount + 1), "account": replace(held, account=elsewhere)}
    postings = {**charge.postings, system: wrong[kind]} if kind in wrong else dict(charge.postings)
    if kind == "lost":
        del postings[system]
    charges = list(made.charges)
    charges[n] = replace(charge, postings=postings)
    ties = reconcile(made.hours, charges, made.lines())
    assert off(ties) == {charge.name}
    residue = sum((tie.journal_residue.get(system, Decimal(0)) for tie in ties), Decimal(0))
    assert residue == {"amount": Decimal(-1), "account": Decimal(0), "lost": charge.amount}[kind]
    assert {tie.account for tie in ties if not tie.ties} == (
        {charge.account, elsewhere} if kind == "account" else {charge.account}
    )


@given(books(), st.data())
def test_minutes_that_are_nowhere_are_named(made: Books, data: st.DataObject) -> None:
    assume(made.hours)
    n = data.draw(st.integers(0, len(made.hours) - 1))
    lost = replace(made.hours[n], charged=0, held=0)
    hours = [*made.hours[:n], lost, *made.hours[n + 1 :]]
    ties = reconcile(hours, made.charges, made.lines())
    assert off(ties) == {lost.name}
    assert sum(tie.hours_residue for tie in ties) == lost.approved


@given(books(), st.sampled_from(ACCOUNTS), AMOUNTS.filter(bool))
def test_an_invoice_line_of_no_charge_is_a_residue_of_its_account(
    made: Books, account: AccountKey, amount: Decimal
) -> None:
    lines = made.lines()
    lines[account] = lines.get(account, Decimal(0)) + amount
    ties = reconcile(made.hours, made.charges, lines)
    assert {tie.account: tie.invoice_residue for tie in ties if not tie.ties} == {account: -amount}


def test_two_errors_that_cancel_out_still_do_not_tie() -> None:
    account = ACCOUNTS[0]
    charges = [
        ReconciledCharge(
            f"charge {n}", account, Decimal(100), ("old",), {"old": HeldPosting(account, amount, "posted")}, "voided"
        )
        for n, amount in enumerate((Decimal(99), Decimal(101)))
    ]
    (tie,) = reconcile([], charges, {})
    assert tie.journal_residue["old"] == 0
    assert (tie.ties, tie.off) == (False, ["charge 0", "charge 1"])


def test_what_a_system_holds_of_a_charge_nobody_decided_is_a_residue() -> None:
    account = ACCOUNTS[0]
    (tie,) = reconcile([], [], {}, [("charge x", "old", HeldPosting(account, Decimal(5), "posted"))])
    assert (tie.ties, tie.off, tie.journal_residue["old"]) == (False, ["charge x"], -5)
