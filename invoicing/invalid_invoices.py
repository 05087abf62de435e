"""The exceptions `invoice:KEY` of documents that broke the rules: opened, changed and resolved by runs (§4.7)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from invoicing.draft import DocumentKey
from invoicing.outbox_records import EXCEPTIONS_TOPIC, announce
from invoicing.parties import Names
from rating.exception_record import json_exception_fields
from storage.bulk_load import as_json

CODE = "INVOICE_INVALID"
_UNCHANGED = ("message", "amount_at_stake", "owner", "region")


@dataclass(frozen=True, slots=True)
class Invalid:
    """A document that got no number: its account, its net, and which rules it breaks."""

    account: DocumentKey
    net: Decimal
    reason: str


def announce_invalid(
    cursor: Cursor[TupleRow],
    found: Mapping[str, Invalid],
    waiting: set[str],
    names: Names,
    at: datetime,
    clients: Collection[str] = (),
) -> None:
    """Open the exceptions of `found` documents by KEY; resolve all others but those of `waiting` KEYs.

    `waiting` have charges, and neither a document nor a finding: the run could not make one. A run for `clients` only
    says nothing of other clients' KEYs. An exception that reads as before is not announced again.
    """
    wanted = list(clients) or None
    before: dict[str, dict[str, object]] = dict(
        cursor.execute(
            "SELECT key, announced FROM hourstream.invalid_invoices WHERE %s::text[] IS NULL OR client_id = ANY(%s)",
            (wanted, wanted),
        ).fetchall()
    )
    records = []
    for key, invalid in sorted(found.items()):
        record = _record(key, invalid, names, at, before.get(key))
        if key in before and all(before[key][name] == record[name] for name in _UNCHANGED):
            continue
        records.append(record)
        cursor.execute(
            "INSERT INTO hourstream.invalid_invoices AS i (key, announced, client_id) VALUES (%s, %s, %s)"
            " ON CONFLICT (key) DO UPDATE SET announced = excluded.announced, client_id = excluded.client_id",
            (key, Jsonb(record, as_json), invalid.account.client_id),
        )
    for key in sorted(before.keys() - found.keys() - waiting):
        records.append({**before[key], "status": "resolved"})
        cursor.execute("DELETE FROM hourstream.invalid_invoices WHERE key = %s", (key,))
    announce(cursor, EXCEPTIONS_TOPIC, records)


def _record(
    key: str, invalid: Invalid, names: Names, at: datetime, before: Mapping[str, object] | None
) -> dict[str, object]:
    account = invalid.account
    engagement, client = names.engagements.get(account.engagement_id), names.clients.get(account.client_id)
    return json_exception_fields(
        account.engagement_id,
        f"invoice:{key}",
        code=CODE,
        message=invalid.reason,
        amount_at_stake=invalid.net,
        status="open",
        first_seen=datetime.fromisoformat(str(before["first_seen"])) if before else at,
        attempts=int(str(before["attempts"])) + 1 if before else 1,
        owner=engagement.owner if engagement else "",
        region=client.region if client else "",
    )
