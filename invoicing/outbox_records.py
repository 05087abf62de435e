"""Announcements of the invoice process, queued in the transaction of their change: statuses and exceptions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.decimals import plain
from common.timestamps import instant_text
from storage.bulk_load import as_json
from topics import topic_names

STATUS_TOPIC, EXCEPTIONS_TOPIC = topic_names.INVOICE_STATUS, topic_names.BILLING_EXCEPTIONS
SYSTEM = "hourstream"


def status_records(
    invoice_id: str,
    charges: Mapping[str, Sequence[str]],
    status: str,
    amount: Decimal,
    currency: str,
    at: datetime,
    revision: int,
) -> list[dict[str, object]]:
    """The records of `invoice.status` in their JSON form: one for each engagement, with its `charges`.

    `amount` is the invoice's total with tax, in each of them.
    """
    return [
        _status_record(invoice_id, engagement_id, status, charge_ids, amount, currency, at, revision)
        for engagement_id, charge_ids in sorted(charges.items())
    ]


def _status_record(
    invoice_id: str,
    engagement_id: str,
    status: str,
    charge_ids: Sequence[str],
    amount: Decimal,
    currency: str,
    at: datetime,
    revision: int,
) -> dict[str, object]:
    return {
        "invoice_id": invoice_id,
        "engagement_id": engagement_id,
        "status": status,
        "charge_ids": list(charge_ids),
        "amount": plain(amount),
        "currency": currency,
        "at": instant_text(at),
        "source": SYSTEM,
        "revision": revision,
        "occurred_at": instant_text(at),
    }


def announce(cursor: Cursor[TupleRow], topic: str, records: Sequence[Mapping[str, object]]) -> None:
    """Queue records of a topic keyed by engagement."""
    with cursor.copy("COPY hourstream.outbox (topic, key, value) FROM STDIN") as copy:
        for record in records:
            copy.write_row((topic, record["engagement_id"], as_json(record)))
