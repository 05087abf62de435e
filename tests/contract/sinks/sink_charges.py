"""Charges as they stand on `billing.ready`, for tests of sinks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

from rating.model.charge import CHARGE_FIELDS
from rating.model.ids import charge_id
from storage.charge_batch import ChargeRecord, ChargeRow, SinkBatch
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from topics.catalogue import CHARGES_TOPIC


def charge(entry: str, amount: str = "100.00", *, n: int = 1, **fields: object) -> ChargeRecord:
    """The n-th charge of a time entry; `fields` replace what is not of interest."""
    subject = str(fields.get("subject", f"time:{entry}"))
    engagement_id = str(fields.get("engagement_id", "E-1"))
    minutes = fields.get("billable_minutes", 60)
    work_date = cast(date, fields.get("work_date", date(2025, 3, 14)))
    record: dict[str, object] = dict.fromkeys(CHARGE_FIELDS) | {
        "charge_id": charge_id(engagement_id, subject, n, "charge"),
        "subject": subject,
        "kind": subject.partition(":")[0],
        "engagement_id": engagement_id,
        "client_id": "C-1",
        "legal_entity": "LE-1",
        "consultant_id": "P-1",
        "task_id": "T-1",
        "labor_category": "Senior",
        "work_date": work_date,
        "period": work_date.strftime("%Y-%m"),
        "worked_minutes": minutes,
        "billable_minutes": minutes,
        "rate": Decimal(100),
        "rate_unit": "hour",
        "multiplier": Decimal(1),
        "currency": "EUR",
        "amount": Decimal(amount),
        "tax_category": "S",
        "tax_rate": Decimal(20),
        "components": [
            {
                "minutes": minutes,
                "rate": Decimal(100),
                "multiplier": Decimal(1),
                "amount": Decimal(amount),
                "reason": None,
            }
        ],
        "region": "EMEA",
        "approved_by": "lead@example.com",
        "lineage": {
            "topic": "time.entries",
            "partition": 0,
            "offset": 7,
            "source": "test",
            "revision": n,
            "masters": [{"kind": "rate_card", "id": "RC-1", "revision": 1, "line_id": "1"}],
            "rules_version": "1",
        },
        "decided_at": datetime(2025, 3, 15, tzinfo=UTC),
        "derivation": "card RC-1 line 1 (all)",
    }
    return cast(ChargeRecord, record | fields)


def reversal(of: ChargeRecord, **fields: object) -> ChargeRecord:
    """The reversal of a charge: amounts and minutes negated."""
    record: dict[str, object] = {
        **of,
        "charge_id": charge_id(of["engagement_id"], of["charge_id"], 1, "reversal"),
        "reverses": of["charge_id"],
        "amount": -of["amount"],
        "worked_minutes": -of["worked_minutes"],
        "billable_minutes": -of["billable_minutes"],
    }
    return cast(ChargeRecord, record | fields)


def batch(start: int, charges: Sequence[ChargeRecord], *, partition: int = 0, end: int | None = None) -> SinkBatch:
    """Charges at consecutive offsets from `start`; one transaction marker follows them unless `end` says otherwise."""
    rows = [ChargeRow(start + n, 1_700_000_000_000 + n, each) for n, each in enumerate(charges)]
    return SinkBatch(CHARGES_TOPIC, partition, start, start + len(rows) + 1 if end is None else end, rows)


@contextmanager
def fresh_pool(database: str) -> Iterator[Pool]:
    """A pool on the database with an empty, migrated schema."""
    with open_pool(database) as pool:
        with pool.connection() as connection:
            connection.execute("DROP SCHEMA IF EXISTS hourstream CASCADE")
        migrate(pool)
        yield pool
