"""Masters in the warehouse: names, currencies and rate cards for pages, as `masters.current` has them."""

from collections.abc import Mapping, Sequence

import orjson

from schemas.json_codec import to_json
from storage.postgres import Pool, transaction

_UPSERT = """
INSERT INTO hourstream.masters AS m SELECT * FROM unnest(%s::text[], %s::text[], %s::jsonb[])
ON CONFLICT (topic, identity) DO UPDATE SET record = excluded.record WHERE m.record <> excluded.record
"""
ACCOUNTS = """
INSERT INTO hourstream.accounts AS a SELECT * FROM hourstream.account_records
ON CONFLICT (engagement_id) DO UPDATE SET
    engagement = excluded.engagement, client_id = excluded.client_id, client = excluded.client,
    region = excluded.region, currency = excluded.currency, owner = excluded.owner,
    approval_group = excluded.approval_group
    WHERE a IS DISTINCT FROM excluded
"""
_NAMED = {"master.engagements", "master.clients"}

Master = tuple[str, str, Mapping[str, object]]
"""(topic, identity, record)"""


def mirror(pool: Pool, masters: Sequence[Master]) -> None:
    """Keep the last of each identity. Raises Unreachable."""
    last = {(topic, identity): orjson.dumps(to_json(topic, record)).decode() for topic, identity, record in masters}
    if last:
        topics, identities = zip(*last, strict=True)
        with transaction(pool) as cursor:
            cursor.execute(_UPSERT, (list(topics), list(identities), list(last.values())))
            if not _NAMED.isdisjoint(topics):
                cursor.execute(ACCOUNTS)
