"""Charges that are due, and documents made of them, for tests of invoices."""

from datetime import UTC, date, datetime
from decimal import Decimal

from invoicing.document import Invoice, InvoiceLine
from invoicing.draft import DueCharge
from invoicing.parties import Names, Party
from invoicing.tax_totals import TaxTotal
from rating.model.master_data import Address, Client, LegalEntity

_ABOUT = {"source": "crm", "revision": 1, "occurred_at": datetime(2025, 1, 1, tzinfo=UTC)}


def client(client_id: str = "C-1", **fields: object) -> Client:
    """A client that a document can be made for."""
    about: dict[str, object] = {
        "client_id": client_id,
        "name": "Buyer GmbH",
        "country": "DE",
        "region": "EMEA",
        "tax_jurisdiction": "DE",
        "vat_id": "DE123456789",
        "currency": "EUR",
        "payment_terms_days": 30,
        "address": Address(street="Am Ring 1", city="Bonn", postcode="53111", country="DE"),
    }
    return Client(**(about | fields), **_ABOUT)  # type: ignore[arg-type]


def entity(legal_entity_id: str = "LE-1", **fields: object) -> LegalEntity:
    """A seller that a document can be made for."""
    about: dict[str, object] = {
        "legal_entity_id": legal_entity_id,
        "name": "Seller Ltd",
        "country": "AT",
        "tax_jurisdiction": "AT",
        "vat_id": "ATU12345678",
        "registration_id": "FN 1",
        "address": Address(street="Ring 1", city="Wien", postcode="1010", country="AT"),
    }
    return LegalEntity(**(about | fields), **_ABOUT)  # type: ignore[arg-type]


NAMES = Names(
    clients={f"C-{n}": client(f"C-{n}") for n in range(1, 5)},
    legal_entities={f"LE-{n}": entity(f"LE-{n}") for n in range(1, 3)},
)


def due(charge_id: str = "a", amount: str = "100.00", **fields: object) -> DueCharge:
    """A time charge of one hour at 100."""
    about: dict[str, object] = {
        "charge_id": charge_id,
        "reverses": None,
        "legal_entity": "LE-1",
        "client_id": "C-1",
        "engagement_id": "E-1",
        "currency": "EUR",
        "subject": f"time:{charge_id}",
        "kind": "time",
        "period": "2025-03",
        "task_id": "T-1",
        "labor_category": "Senior",
        "billable_minutes": 60,
        "rate": Decimal(100),
        "rate_unit": "hour",
        "multiplier": Decimal(1),
        "amount": Decimal(amount),
        "reason": None,
        "tax_category": "S",
        "tax_rate": Decimal(20),
        "po_number": None,
        "credits": None,
    }
    return DueCharge(**(about | fields))  # type: ignore[arg-type]


def invoice(category: str = "S", rate: str = "20", tax: str = "55.83", **fields: object) -> Invoice:
    """The invoice of 334.99, or one of another tax category."""
    seller = Party("LE-1", "Seller Ltd", "AT", "Ring 1", "Wien", "1010", "ATU12345678", "FN 1")
    line = InvoiceLine(
        line=1,
        period="2025-03",
        name="Design",
        note="Senior, 100 EUR per hour",
        quantity=Decimal("2.7916"),
        unit="HUR",
        price=Decimal(100),
        net=Decimal("279.16"),
        tax_category=category,
        tax_rate=Decimal(rate),
    )
    about: dict[str, object] = {
        "invoice_id": "LE-1-2025-00001",
        "kind": "invoice",
        "status": "issued",
        "engagement_id": "E-1",
        "engagement_name": "Redesign",
        "currency": "EUR",
        "issue_date": date(2025, 4, 1),
        "due_date": date(2025, 5, 1),
        "po_number": "PO-7",
        "seller": seller,
        "buyer": Party("C-1", "Buyer GmbH", "DE", vat_id="DE123456789"),
        "tax_reason": None,
        "lines": (line,),
        "taxes": (TaxTotal(category, Decimal(rate), Decimal("279.16"), Decimal(tax)),),
        "net": Decimal("279.16"),
        "tax": Decimal(tax),
        "rounding": Decimal("0.00"),
        "payable": Decimal("279.16") + Decimal(tax),
        "credits": (),
    }
    return Invoice(**(about | fields))  # type: ignore[arg-type]
