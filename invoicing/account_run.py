"""One account of a run: drafted, validated, numbered and stored, in a savepoint of the run's transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from common.errors import SinkError
from invoicing.credit_state import credit_state
from invoicing.document import Invoice, credited_invoices
from invoicing.draft import DocumentKey, Draft, DueCharge, draft_invoice
from invoicing.issue import issue
from invoicing.outbox_records import STATUS_TOPIC, announce, status_records
from invoicing.parties import Names
from invoicing.store import store
from invoicing.validation import UNNUMBERED, InvalidDocument, require_valid
from storage.isolated_write import passes_on

_LATEST_DATE = "SELECT max(issue_date) FROM hourstream.invoices WHERE legal_entity = %s AND sequence IS NOT NULL"

Make = Callable[[], tuple[Draft, Invoice]]
"""Gives the draft of an account and its document, which has no number yet."""


class IssueDateTooEarly(SinkError):
    """A legal entity has issued a document of a later date already; nothing was invoiced (DOMAIN.md §4.6)."""


@dataclass(frozen=True, slots=True)
class AccountOutcome:
    """The result of one account. Without a document it has the error, and its charges stay open."""

    account: DocumentKey
    charges: Sequence[DueCharge]
    made: tuple[Draft, Invoice] | None
    error: Exception | None = None

    @property
    def is_invalid(self) -> bool:
        """Whether its document broke the rules."""
        return isinstance(self.error, InvalidDocument)

    @property
    def reason(self) -> str:
        """The error in one line."""
        return " ".join(f"{type(self.error).__name__}: {self.error}".split())


class AccountRun:
    """Takes one account after the other, each in a savepoint: a number that is not used is given to the next."""

    def __init__(
        self,
        cursor: Cursor[TupleRow],
        cut_off: date,
        issue_date: date,
        end_offsets: Mapping[int, int],
        at: datetime,
        clients: Collection[str] = (),
    ) -> None:
        self._cursor, self._issue_date, self._at = cursor, issue_date, at
        ends = Jsonb({str(partition): end for partition, end in end_offsets.items()})
        row = cursor.execute(
            "INSERT INTO hourstream.invoice_runs (cut_off, issue_date, end_offsets, run_at, clients)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING run",
            (cut_off, issue_date, ends, at, sorted(clients) or None),
        ).fetchone()
        self.number = 0 if row is None else int(row[0])
        self.outcomes: list[AccountOutcome] = []

    def attempt(self, account: DocumentKey, charges: Sequence[DueCharge], make: Make) -> None:
        """Make, number, store and announce a document. Raises IssueDateTooEarly and faults of the environment."""
        try:
            with self._cursor.connection.transaction():
                made = self._place(*make())
        except Exception as error:
            if passes_on(error) or isinstance(error, IssueDateTooEarly):
                raise
            self.outcomes.append(AccountOutcome(account, charges, None, error))
        else:
            self.outcomes.append(AccountOutcome(account, charges, made))

    def _place(self, draft: Draft, invoice: Invoice) -> tuple[Draft, Invoice]:
        if draft.is_document:
            self._refuse_earlier_date(draft.account.legal_entity)
        issued = store(self._cursor, self.number, draft, invoice, position=len(self.outcomes))
        if draft.is_document:
            records = status_records(
                issued.invoice_id, draft.charges, "issued", draft.payable, draft.account.currency, self._at, revision=1
            )
            announce(self._cursor, STATUS_TOPIC, records)
        return draft, issued

    def _refuse_earlier_date(self, legal_entity: str) -> None:
        latest = self._cursor.execute(_LATEST_DATE, (legal_entity,)).fetchone()
        if latest and latest[0] and self._issue_date < latest[0]:
            raise IssueDateTooEarly(
                f"{legal_entity} has a document of {latest[0]}, and {self._issue_date} is before it:"
                f" issue on {latest[0]} or later"
            )


def make_document(
    cursor: Cursor[TupleRow], account: DocumentKey, charges: Sequence[DueCharge], issue_date: date, names: Names
) -> tuple[Draft, Invoice]:
    """The draft of an account and its document, held to the rules. Raises InvalidDocument."""
    draft = make_draft(cursor, account, charges)
    credits = credited_invoices(cursor, draft.credits)
    invoice = issue(draft, UNNUMBERED, issue_date, names, credits)
    if draft.is_document:
        require_valid(invoice)
    return draft, invoice


def make_draft(cursor: Cursor[TupleRow], account: DocumentKey, charges: Sequence[DueCharge]) -> Draft:
    """The draft of an account, after what is stored by now."""
    state = credit_state(cursor, charges)
    return draft_invoice(account, charges, state.rests, state.residues)
