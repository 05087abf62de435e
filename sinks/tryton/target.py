"""Tryton as a target: adds charges to the draft invoice of their account, each exactly once.

An account (client, engagement, currency, in scope of tax or not) has at most one draft invoice. A charge becomes part
of one of its lines, or is stored beside all invoices if it bills nothing. Tryton's database keeps two things unique: a
charge by its id, and an invoice by its reference, the n-th of its account. A call looks the charges up and writes the
missing ones in one transaction. If that is refused, it looks again, because another client may have been faster.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from common.errors import Health
from invoicing.draft import DocumentKey
from invoicing.parties import Names
from rating.model.money import rounded_money
from sinks.delivery.status_source import PollCursor, PollResult
from sinks.delivery.target import DeliveryAnswer, TargetUnavailable
from sinks.tryton.client import TrytonClient, TrytonRefused
from sinks.tryton.lines import TrytonLine, lines_of
from sinks.tryton.masters import NotThere, TrytonMasters
from sinks.tryton.states import StateCursor, TrytonStates
from sinks.tryton.wire import Row
from storage.charge_batch import ChargeRecord

LARGEST_GROUP = 1000
_CHARGE_FIELDS = ("charge_id", "line.invoice.reference")


@dataclass(frozen=True, slots=True)
class DraftInvoice:
    """The draft invoice of an account; without an id it has yet to be made."""

    id: int | None
    reference: str


class TrytonTarget:
    """A database of Tryton with the module `hourstream`, by its REST interface."""

    def __init__(self, name: str, tryton: TrytonClient, names: Callable[[], Names] = Names) -> None:
        """`names` gives the masters for new parties; missing ones are named by their ids."""
        self._name, self._tryton = name, tryton
        self._masters = TrytonMasters(tryton, names)
        self._states = TrytonStates(tryton, name)

    def names_from(self, names: Callable[[], Names]) -> None:
        """Set the source of names for new parties and lines."""
        self._masters.names_from(names)

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    @property
    def largest_group(self) -> int:
        """Charges that one call carries: enough that the invoice's own cost is small among them."""
        return LARGEST_GROUP

    def group_of(self, charge: ChargeRecord) -> str:
        """The account that the charge is billed to, in its company's books."""
        return f"{charge['legal_entity']}|{account_text(account_of(charge))}"

    def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
        """An answer for each charge, all of one group; see the module. Raises TargetUnavailable."""
        answers = self._held(charges)
        missing = {charge["charge_id"]: charge for charge in charges if charge["charge_id"] not in answers}
        answers |= self._refused(list(missing.values()))
        left = [charge for charge_id, charge in missing.items() if charge_id not in answers]
        if left:
            answers |= self._take(left)
        return [answers[charge["charge_id"]] for charge in charges]

    def health(self) -> Health:
        """Whether Tryton answers and has our module; never raises."""
        try:
            self._tryton.search("hourstream.charge", [], ["id"], 1)
        except (TrytonRefused, TargetUnavailable) as error:
            return Health(ok=False, detail=str(error))
        return Health(ok=True, detail="Tryton answers")

    def look(self, cursor: PollCursor | None) -> PollResult:
        """The events of our invoices there since the last poll. Raises TargetUnavailable."""
        try:
            events, reached, more = self._states.look(
                StateCursor() if cursor is None else StateCursor.from_json(cursor)
            )
        except TrytonRefused as error:
            raise TargetUnavailable(f"{self._name} does not show its invoices: {error}") from error
        return PollResult(events, reached.as_json(), more)

    def _held(self, charges: Sequence[ChargeRecord]) -> dict[str, DeliveryAnswer]:
        """The answers of those that Tryton holds already."""
        ids = [charge["charge_id"] for charge in charges]
        found = self._tryton.search(
            "hourstream.charge", [["charge_id", "in", ids], ["released_at", "=", None]], _CHARGE_FIELDS
        )
        return {row["charge_id"]: DeliveryAnswer(row["charge_id"], "posted", _reference(row)) for row in found}

    def _refused(self, charges: Sequence[ChargeRecord]) -> dict[str, DeliveryAnswer]:
        """Those whose company, currency or tax Tryton does not have."""
        refused = dict[str, DeliveryAnswer]()
        for charge in charges:
            category, rate = charge["tax_category"], charge["tax_rate"]
            try:
                company = self._masters.company(charge["legal_entity"])
                self._masters.currency(charge["currency"])
                if category is not None and rate is not None:
                    self._masters.tax(company, category, rate)
                elif charge["amount"]:
                    raise NotThere("An amount without a tax category is on no invoice")
            except NotThere as error:
                refused |= _refusal(charge, error)
        return refused

    def _take(self, charges: list[ChargeRecord]) -> dict[str, DeliveryAnswer]:
        """Write charges that Tryton does not hold; where it refuses all of them, find out which it means."""
        try:
            return self._write(charges)
        except NotThere as error:  # something that every charge needs
            return {charge_id: answer for charge in charges for charge_id, answer in _refusal(charge, error).items()}
        except TrytonRefused as error:
            held = self._held(charges)
            rest = [charge for charge in charges if charge["charge_id"] not in held]
            if held:
                return held | (self._take(rest) if rest else {})
            if len(charges) > 1:
                half = len(charges) // 2
                return self._take(charges[:half]) | self._take(charges[half:])
            return _refusal(charges[0], error)

    def _write(self, charges: Sequence[ChargeRecord]) -> dict[str, DeliveryAnswer]:
        """All of them or, where it raises Refused, none that has a line."""
        lines, unlined = lines_of(charges)
        company = self._masters.company(charges[0]["legal_entity"])
        currency = self._masters.currency(charges[0]["currency"])
        references = dict[str, str]()
        if lines:
            reference = self._onto_draft(account_of(charges[0]), company, currency.id, lines)
            references |= {charge["charge_id"]: reference for line in lines for charge in line.charges}
        if unlined:
            rows = [_charge(charge, company, currency.id) for charge in unlined]
            made = self._tryton.create_many("hourstream.charge", rows)
            references |= {charge["charge_id"]: _beside(id_) for charge, id_ in zip(unlined, made, strict=True)}
        return {
            charge_id: DeliveryAnswer(charge_id, "posted", reference) for charge_id, reference in references.items()
        }

    def _onto_draft(self, account: DocumentKey, company: int, currency: int, lines: Sequence[TrytonLine]) -> str:
        """Put lines onto the account's draft invoice; its reference. Raises Refused."""
        named = self._masters.names()
        rows = [self._line(line, company, currency, account.currency, named) for line in lines]
        draft = self._draft(account, company)
        for _ in range(3):
            try:
                return self._put(draft, account, company, currency, rows)
            except TrytonRefused:
                # Posted meanwhile, or another made it at this moment: then there is another draft to write to.
                again = self._draft(account, company)
                if again == draft:
                    raise
                draft = again
        return self._put(draft, account, company, currency, rows)

    def _put(self, draft: DraftInvoice, account: DocumentKey, company: int, currency: int, rows: Sequence[Row]) -> str:
        if draft.id is not None:
            self._tryton.write("account.invoice", draft.id, {"lines": [["create", rows]]})
            return draft.reference
        self._tryton.within(company=company).create(
            "account.invoice",
            {
                "type": "out",
                "company": company,
                "party": self._masters.party(company, account),
                "currency": currency,
                "reference": draft.reference,
                "description": self._described(account),
                "hourstream_account": account_text(account),
                "lines": [["create", rows]],
            },
        )
        return draft.reference

    def _described(self, account: DocumentKey) -> str:
        engagement = self._masters.names().engagements.get(account.engagement_id)
        return f"{account.engagement_id} {engagement.name}" if engagement else account.engagement_id

    def _draft(self, account: DocumentKey, company: int) -> DraftInvoice:
        text = account_text(account)
        ours = [["company", "=", company], ["hourstream_account", "=", text]]
        found = self._tryton.search("account.invoice", ours, ["state", "reference"])
        drafts = [row for row in found if row["state"] == "draft"]
        if drafts:
            return DraftInvoice(int(drafts[0]["id"]), str(drafts[0]["reference"]))
        numbers = [int(row["reference"].rpartition("/")[2]) for row in found]
        return DraftInvoice(None, f"{text}/{max(numbers, default=0) + 1}")

    def _line(self, line: TrytonLine, company: int, currency: int, code: str, names: Names) -> Row:
        return {
            "type": "line",
            "company": company,
            "currency": currency,
            "product": self._masters.product(company, line.key.kind, line.key.labor_category, line.unit),
            "unit": self._masters.unit(line.unit),
            "quantity": float(line.quantity),
            "unit_price": line.price,
            "taxes": [["add", [self._masters.tax(company, line.key.tax_category, line.key.tax_rate)]]],
            "description": line.description(names, code),
            "hourstream_charges": [["create", [_charge(charge, company, currency) for charge in line.charges]]],
        }


def account_of(charge: ChargeRecord) -> DocumentKey:
    """The account a charge is billed to; of one that is not billable the same as if it were taxed."""
    return DocumentKey(
        legal_entity=charge["legal_entity"],
        client_id=charge["client_id"],
        engagement_id=charge["engagement_id"],
        currency=charge["currency"],
        outside_scope=charge["tax_category"] == "O",
    )


def account_text(account: DocumentKey) -> str:
    """The name of an account on its invoices."""
    outside = "/O" if account.outside_scope else ""
    return f"{account.client_id}/{account.engagement_id}/{account.currency}{outside}"


def _refusal(charge: ChargeRecord, error: TrytonRefused) -> dict[str, DeliveryAnswer]:
    return {charge["charge_id"]: DeliveryAnswer(charge["charge_id"], "refused", reason=str(error))}


def _charge(charge: ChargeRecord, company: int, currency: int) -> Row:
    return {
        "charge_id": charge["charge_id"],
        "reverses": charge["reverses"],
        "engagement": charge["engagement_id"],
        "subject": charge["subject"],
        "company": company,
        "work_date": charge["work_date"],
        "worked_minutes": charge["worked_minutes"],
        "billable_minutes": charge["billable_minutes"],
        "currency": currency,
        "amount": rounded_money(charge["amount"], charge["currency"]),
    }


def _reference(row: Mapping[str, object]) -> str:
    """Tryton's name for a charge: its invoice's reference, or the charge's own number."""
    line = row.get("line.")
    invoice = line.get("invoice.") if isinstance(line, dict) else None
    return str(invoice["reference"]) if isinstance(invoice, dict) else _beside(int(str(row["id"])))


def _beside(id_: int) -> str:
    return f"charge {id_}"
