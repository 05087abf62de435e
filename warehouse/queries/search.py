"""Search by id: an entry, a charge, an invoice, a posting, an exception, an engagement."""

from dataclasses import dataclass

from warehouse.queries.sql import Asking, rows

MOST = 50


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A thing of that id: `kind` of it, what names it, and where it belongs."""

    kind: str
    id: str
    engagement_id: str
    subject: str


_QUERY = """
(SELECT 'subject' AS kind, h.subject AS id, h.engagement_id, h.subject FROM hourstream.history h
 WHERE h.subject = ANY(%(subjects)s) GROUP BY h.engagement_id, h.subject LIMIT 50)
UNION
(SELECT 'charge', charge_id, engagement_id, subject FROM hourstream.charges WHERE charge_id = %(id)s)
UNION
(SELECT 'invoice', invoice_id, engagement_id, '' FROM hourstream.invoices
 WHERE invoice_id = %(id)s AND kind <> 'nothing')
UNION
(SELECT 'exception', exception_id, engagement_id, subject FROM hourstream.exceptions WHERE exception_id = %(id)s)
UNION
(SELECT 'posting', 'JRN-' || number, engagement_id, subject FROM hourstream.journal_postings WHERE number = %(number)s)
UNION
(SELECT 'engagement', identity, identity, '' FROM hourstream.masters
 WHERE topic = 'master.engagements' AND identity = %(id)s)
UNION
(SELECT 'client', identity, '', '' FROM hourstream.masters WHERE topic = 'master.clients' AND identity = %(id)s)
"""
_KINDS = ("time", "expense", "milestone", "outcome", "adjustment", "fee", "minimum")


def search(cursor: Asking, text: str) -> list[SearchHit]:
    """Everything of exactly that id, at most about `MOST`; a subject may be written with or without its kind."""
    wanted = text.strip()
    number = wanted.removeprefix("JRN-")
    engagement, _, subject = wanted.partition("/")
    subjects = [wanted, *(f"{kind}:{wanted}" for kind in _KINDS), subject or wanted]
    posting = (
        int(number) if wanted.startswith("JRN-") and number.isascii() and number.isdigit() and len(number) < 19 else -1
    )
    found = rows(cursor, SearchHit, _QUERY, {"id": wanted, "subjects": subjects, "number": posting})
    if subject and subject != wanted:
        found = [f for f in found if f.kind != "subject" or f.subject == wanted or f.engagement_id == engagement]
    return sorted(found, key=lambda f: (f.kind, f.id, f.engagement_id))[:MOST]
