"""A draft as it is stored: the accounts of a run, each with its charges and the document that is to be issued."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson

from invoicing.account_run import AccountOutcome
from invoicing.document import Invoice, InvoiceLine
from invoicing.draft import DocumentKey
from invoicing.parties import Party
from invoicing.tax_totals import TaxTotal
from invoicing.validation import UNNUMBERED, InvalidDocument
from storage.bulk_load import as_json

_LINE_NUMBERS = ("quantity", "price", "net", "tax_rate")
_AMOUNTS = ("net", "tax", "rounding", "payable")


@dataclass(frozen=True, slots=True)
class DraftedAccount:
    """An account of a draft: its charges as published, and its document or why it has none."""

    account: DocumentKey
    charge_ids: tuple[str, ...]
    invoice: Invoice | None
    invalid: str | None

    def error(self) -> InvalidDocument:
        """Why it has no document."""
        return InvalidDocument(self.invalid or "not drafted")


def content_of(
    cut_off: date, issue_date: date, outcomes: Sequence[AccountOutcome], clients: Collection[str] = ()
) -> str:
    """The draft of a run as JSON text; the same parameters, charges and masters give the same text."""
    accounts = [
        {
            "account": asdict(each.account),
            "charge_ids": [charge.charge_id for charge in each.charges],
            "invoice": {**asdict(each.made[1]), "invoice_id": UNNUMBERED} if each.made else None,
            "invalid": None if each.made else str(each.error),
        }
        for each in outcomes
    ]
    of_clients = {"clients": sorted(clients)} if clients else {}
    return as_json({"cut_off": cut_off, "issue_date": issue_date, "accounts": accounts, **of_clients})


def digest_of(content: str) -> str:
    """The id of a draft: of what it says."""
    return sha256(orjson.dumps(orjson.loads(content), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def drafted(content: Mapping[str, Any]) -> list[DraftedAccount]:
    """The accounts of a stored draft, in order."""
    return [
        DraftedAccount(
            DocumentKey(**each["account"]),
            tuple(each["charge_ids"]),
            None if each["invoice"] is None else _invoice(each["invoice"]),
            each["invalid"],
        )
        for each in content["accounts"]
    ]


def _invoice(stored: Mapping[str, Any]) -> Invoice:
    amounts = {name: Decimal(stored[name]) for name in _AMOUNTS}
    dated = {
        "issue_date": date.fromisoformat(stored["issue_date"]),
        "due_date": None if stored["due_date"] is None else date.fromisoformat(stored["due_date"]),
    }
    parts = {
        "seller": Party(**stored["seller"]),
        "buyer": Party(**stored["buyer"]),
        "lines": tuple(
            InvoiceLine(**{**line, **{name: Decimal(line[name]) for name in _LINE_NUMBERS}}) for line in stored["lines"]
        ),
        "taxes": tuple(
            TaxTotal(each["category"], *(Decimal(each[name]) for name in ("rate", "base", "amount")))
            for each in stored["taxes"]
        ),
        "credits": tuple((number, date.fromisoformat(issued)) for number, issued in stored["credits"]),
    }
    return Invoice(**{**stored, **amounts, **dated, **parts})
