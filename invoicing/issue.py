"""Issues a draft: adds number, dates and names; a pure function (DOMAIN.md §4)."""

from collections.abc import Sequence
from datetime import date, timedelta

from invoicing.document import Invoice, InvoiceLine
from invoicing.draft import DocumentKey, Draft, LineDraft
from invoicing.parties import Names, buyer, line_name, line_note, seller
from invoicing.validation import InvalidDocument


def issue(
    draft: Draft, invoice_id: str, issue_date: date, names: Names, credits: Sequence[tuple[str, date]] = ()
) -> Invoice:
    """The document of a draft; `credits` are the invoices it credits, by number and issue date.

    Raises InvalidDocument for payment terms that lead out of the calendar.
    """
    account = draft.account
    client = names.clients.get(account.client_id)
    engagement = names.engagements.get(account.engagement_id)
    return Invoice(
        invoice_id=invoice_id,
        kind=draft.kind,
        status="consumed" if draft.kind == "nothing" else "issued",
        engagement_id=account.engagement_id,
        engagement_name=engagement.name if engagement else None,
        currency=account.currency,
        issue_date=issue_date,
        due_date=_due(issue_date, client.payment_terms_days) if client and draft.kind == "invoice" else None,
        po_number=draft.po_number,
        seller=seller(account, names),
        buyer=buyer(account, names),
        tax_reason=_tax_reason(draft, names),
        lines=tuple(_line(number, line, account, names) for number, line in enumerate(draft.lines, start=1)),
        taxes=draft.taxes,
        net=draft.net,
        tax=draft.tax,
        rounding=draft.rounding,
        payable=draft.payable,
        credits=tuple(credits),
    )


def _tax_reason(draft: Draft, names: Names) -> str | None:
    """The agreed reasons of its engagements; a document has one text for each category (BT-120)."""
    engagements = [names.engagements.get(engagement_id) for engagement_id in draft.charges]
    reasons = {each.tax_override.reason for each in engagements if each and each.tax_override}
    return "; ".join(sorted(reasons)) or None


def _due(issue_date: date, terms_days: int) -> date:
    try:
        return issue_date + timedelta(terms_days)
    except OverflowError as error:
        raise InvalidDocument(
            f"payment_terms_days {terms_days} leads from {issue_date} out of the calendar: correct it on master.clients"
        ) from error


def _line(number: int, line: LineDraft, account: DocumentKey, names: Names) -> InvoiceLine:
    return InvoiceLine(
        line=number,
        period=line.key.period,
        name=line_name(line.key, names),
        note=line_note(line, account, names),
        quantity=line.quantity,
        unit=line.unit,
        price=line.price,
        net=line.net,
        tax_category=line.key.tax_category,
        tax_rate=line.key.tax_rate,
        engagement_id=line.key.engagement_id,
    )
