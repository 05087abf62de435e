"""Finds Tryton's records for our masters by Hourstream ID, creates missing ones, and remembers them.

The owner of the books decides: existing parties and products are not changed, and companies, currencies and taxes are
never created here.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from common.decimals import plain
from invoicing.draft import DocumentKey
from invoicing.parties import Names, Party, buyer
from rating.model.master_data import Client
from sinks.tryton.client import TrytonClient, TrytonRefused
from sinks.tryton.lines import Unit
from sinks.tryton.wire import Row

_SYMBOLS: Mapping[Unit, str] = {"hour": "h", "one": "u"}
Found = TypeVar("Found")


class NotThere(TrytonRefused):
    """Tryton has no record for this; the text says what a person has to do there."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of Tryton."""

    id: int
    digits: int


class TrytonMasters:
    """Look-ups and makings by Hourstream's ids. May be used from several threads, also of several processes."""

    def __init__(self, tryton: TrytonClient, names: Callable[[], Names]) -> None:
        self._tryton, self._names = tryton, names
        self._known: dict[tuple[str, ...], object] = {}
        self._lock = threading.RLock()  # one look-up may need another

    def names_from(self, names: Callable[[], Names]) -> None:
        """Set the source of names."""
        self._names = names

    def names(self) -> Names:
        """The masters that are to be named, as they are now."""
        return self._names()

    def company(self, legal_entity: str) -> int:
        """The company whose party is that legal entity. Raises NotThere."""
        return self._once(("company", legal_entity), lambda: self._company(legal_entity))

    def _company(self, legal_entity: str) -> int:
        identity = f"legal-entity:{legal_entity}"
        found = self._tryton.search("company.company", [["party.hourstream_id", "=", identity]], ["id"], 1)
        if not found:
            raise NotThere(f"Tryton has no company of {legal_entity}: give its party the Hourstream ID {identity}")
        return _id(found[0])

    def currency(self, code: str) -> Currency:
        """The currency of that ISO 4217 code. Raises NotThere."""
        return self._once(("currency", code), lambda: self._currency(code))

    def _currency(self, code: str) -> Currency:
        found = self._tryton.search("currency.currency", [["code", "=", code]], ["digits"], 1)
        if not found:
            raise NotThere(f"Tryton has no currency {code}: add it there, with its rates")
        return Currency(_id(found[0]), int(found[0]["digits"]))

    def tax(self, company: int, category: str, percent: Decimal) -> int:
        """The company's tax of that category (EN 16931) and rate in percent. Raises NotThere."""
        return self._once(
            ("tax", str(company), category, plain(percent)), lambda: self._tax(company, category, percent)
        )

    def _tax(self, company: int, category: str, percent: Decimal) -> int:
        rate = percent / 100
        domain = [
            ["company", "=", company],
            ["hourstream_category", "=", category],
            ["type", "=", "percentage"],
            ["rate", "=", rate],
            ["parent", "=", None],
        ]
        found = self._tryton.search("account.tax", domain, ["rate"], 1)
        if not found:
            raise NotThere(
                f"Tryton has no tax of {plain(percent)} % for category {category}: give one that Hourstream Category"
            )
        return _id(found[0])

    def party(self, company: int, account: DocumentKey) -> int:
        """The party that is billed, made with its address, tax identifier and payment term where there is none."""
        return self._once(("party", account.client_id), lambda: self._party(company, account))

    def _party(self, company: int, account: DocumentKey) -> int:
        names = self._names()
        who, client = buyer(account, names), names.clients.get(account.client_id)
        values: dict[str, object] = {"name": who.name, "addresses": [["create", [self._address(who)]]]}
        if client is not None:
            values["customer_payment_term"] = self._term(client)
        identity = f"client:{account.client_id}"
        if who.vat_id is None:
            return self._found_or_made("party.party", identity, values, company)
        european: Row = {"identifiers": [["create", [{"type": "eu_vat", "code": who.vat_id}]]]}
        untyped: Row = {"identifiers": [["create", [{"code": who.vat_id}]]]}
        try:
            return self._found_or_made("party.party", identity, {**values, **european}, company)
        except TrytonRefused:  # Tryton checks the digits of European ones; others are kept as they are written
            return self._found_or_made("party.party", identity, {**values, **untyped}, company)

    def _address(self, who: Party) -> Row:
        address = {"street": who.street, "postal_code": who.postcode, "city": who.city}
        country = self._country(who.country) if who.country else None
        return {name: value for name, value in {**address, "country": country}.items() if value is not None}

    def _country(self, code: str) -> int | None:
        found = self._tryton.search("country.country", [["code", "=", code]], ["id"], 1)
        return _id(found[0]) if found else None

    def _term(self, client: Client) -> int:
        days = client.payment_terms_days
        line = {"type": "remainder", "relativedeltas": [["create", [{"days": days}]]]}
        values = {"name": f"{days} days net", "lines": [["create", [line]]]}
        return self._found_or_made("account.invoice.payment_term", f"days:{days}", values)

    def product(self, company: int, kind: str, labor_category: str | None, unit: Unit) -> int:
        """The service that is sold: a labor category by the hour or as a whole, or a kind of charge."""
        what = f"{kind}:{labor_category}" if labor_category else kind
        return self._once(("product", what, unit), lambda: self._product(company, what, labor_category or kind, unit))

    def _product(self, company: int, what: str, name: str, unit: Unit) -> int:
        identity = f"{what}:{unit}"
        found = self._by_identity("product.product", identity)
        if found is not None:
            return found
        category = self._by_identity("product.category", "services")
        if category is None:
            raise NotThere("Tryton has no category of services: give an accounting category the Hourstream ID services")
        template = {
            "name": name.capitalize() if name.islower() else name,
            "type": "service",
            "default_uom": self.unit(unit),
            "list_price": Decimal(0),
            "account_category": category,
            "products": [["create", [{"hourstream_id": identity}]]],
        }
        return self._made("product.template", template, "product.product", identity, company)

    def unit(self, unit: Unit) -> int:
        """The unit of measure. Raises NotThere."""
        return self._once(("unit", unit), lambda: self._unit(_SYMBOLS[unit]))

    def _unit(self, symbol: str) -> int:
        found = self._tryton.search("product.uom", [["symbol", "=", symbol]], ["id"], 1)
        if not found:
            raise NotThere(f"Tryton has no unit of measure {symbol}")
        return _id(found[0])

    def _found_or_made(self, model: str, identity: str, values: Row, company: int | None = None) -> int:
        found = self._by_identity(model, identity)
        if found is not None:
            return found
        return self._made(model, {**values, "hourstream_id": identity}, model, identity, company)

    def _made(self, model: str, values: Row, identified: str, identity: str, company: int | None) -> int:
        """The id of the record for `identity`, created now, or by another client at this moment.

        Prices and payment terms belong to a company: created within `company`, they are that one's.
        """
        try:
            made = self._tryton.within(company=company).create(model, values)
        except TrytonRefused:
            by_another = self._by_identity(identified, identity)
            if by_another is None:
                raise
            return by_another
        if model == identified:
            return _id(made)
        found = self._by_identity(identified, identity)
        if found is None:
            raise NotThere(f"{identity} was made in Tryton and taken away again")
        return found

    def _by_identity(self, model: str, identity: str) -> int | None:
        found = self._tryton.search(model, [["hourstream_id", "=", identity]], ["id"], 1)
        return _id(found[0]) if found else None

    def _once(self, key: tuple[str, ...], ask: Callable[[], Found]) -> Found:
        """Records that were found are remembered; missing ones are looked up again, because a person may have created
        them.
        """
        with self._lock:
            if key not in self._known:
                self._known[key] = ask()
            found: Found = self._known[key]  # type: ignore[assignment]  # each key has one kind of value
            return found


def _id(row: Row) -> int:
    return int(row["id"])
