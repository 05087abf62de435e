"""The state of each charge in the sinks' database at one moment, for reconciliation (DOMAIN.md §5)."""

from dataclasses import dataclass
from decimal import Decimal

from assurance.reconciliation import NETTED, VOIDED, AccountKey, HeldPosting
from sinks.journal import JOURNAL
from storage.postgres import Pool, transaction
from topics.catalogue import CHARGES_TOPIC

ON_INVOICE = "on_invoice"


@dataclass(frozen=True, slots=True)
class Holding:
    """A journal's posting of a charge, with the charge's partition and offset."""

    posted: HeldPosting
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class SinkSnapshot:
    """`read` is the next offset by (system, partition); `postings` by system and charge id. `invoicing` says of charges
    that are or were on an invoice: on_invoice, netted or voided. `invoice_lines` are net, of live invoices."""

    read: dict[tuple[str, int], int]
    postings: dict[str, dict[str, Holding]]
    invoicing: dict[str, str]
    invoice_lines: dict[AccountKey, Decimal]


_INVOICING = """
SELECT charge_id, bool_or(live AND kind <> 'nothing'), bool_or(live)
FROM hourstream.invoice_charges JOIN hourstream.invoices USING (invoice_id) GROUP BY charge_id
"""
_LINES = """
SELECT client_id, period, currency, sum(l.net)
FROM hourstream.invoice_lines l JOIN hourstream.invoices USING (invoice_id)
WHERE status = 'issued' GROUP BY client_id, period, currency
"""
_POSTINGS = """
SELECT system, charge_id, client_id, period, currency, amount, status, partition, record_offset
FROM hourstream.journal_postings WHERE entry = 'charge'
"""


def standing(pool: Pool) -> SinkSnapshot:
    """All of it as of one moment. Raises Unreachable."""
    with transaction(pool) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        positions = cursor.execute(
            "SELECT sink, partition, next_offset FROM hourstream.positions WHERE topic = %s", (CHARGES_TOPIC,)
        ).fetchall()
        postings = cursor.execute(_POSTINGS).fetchall()
        invoicing = cursor.execute(_INVOICING).fetchall()
        lines = cursor.execute(_LINES).fetchall()
    held: dict[str, dict[str, Holding]] = {JOURNAL: {}}
    for system, charge_id, *holding in postings:
        held.setdefault(str(system), {})[str(charge_id)] = _holding(*holding)
    return SinkSnapshot(
        read={(str(sink), int(partition)): int(at) for sink, partition, at in positions},
        postings=held,
        invoicing={str(name): ON_INVOICE if billed else NETTED if live else VOIDED for name, billed, live in invoicing},
        invoice_lines={AccountKey(client, period, currency): net for client, period, currency, net in lines},
    )


def _holding(
    client_id: str, period: str, currency: str, amount: Decimal, status: str, partition: int, offset: int
) -> Holding:
    return Holding(HeldPosting(AccountKey(client_id, period, currency), amount, status), partition, offset)


_RESIDUES = """
WITH read AS (
    SELECT sink, partition, next_offset FROM hourstream.positions WHERE topic = %(topic)s
), journal AS (
    SELECT c.currency, c.amount - p.amount AS residue
    FROM hourstream.charges c JOIN hourstream.journal_postings p USING (charge_id) WHERE p.status = 'posted'
    UNION ALL
    SELECT p.currency, -p.amount
    FROM hourstream.journal_postings p JOIN read ON sink = 'projection' AND read.partition = p.partition
    WHERE p.status = 'posted' AND p.entry = 'charge' AND p.record_offset < next_offset
        AND NOT EXISTS (SELECT FROM hourstream.charges c WHERE c.charge_id = p.charge_id)
    UNION ALL
    SELECT c.currency, c.amount
    FROM hourstream.charges c JOIN read ON sink = %(journal)s AND read.partition = c.partition
    WHERE %(all)s AND c.record_offset < next_offset AND NOT EXISTS (
        SELECT FROM hourstream.journal_postings p WHERE p.system = %(journal)s AND p.charge_id = c.charge_id)
), invoices AS (
    SELECT c.currency, c.amount AS residue
    FROM hourstream.invoice_charges b JOIN hourstream.charges c USING (charge_id)
    JOIN hourstream.invoices i USING (invoice_id) WHERE b.live AND i.kind <> 'nothing'
    UNION ALL
    SELECT i.currency, -l.net FROM hourstream.invoice_lines l JOIN hourstream.invoices i USING (invoice_id)
    WHERE i.status = 'issued'
)
SELECT 'journal', currency, sum(residue) FROM journal GROUP BY currency
UNION ALL SELECT 'invoices', currency, sum(residue) FROM invoices GROUP BY currency
"""


def residues(pool: Pool, everything_is_posted: bool = True) -> dict[tuple[str, str], Decimal]:
    """{(kind, currency): residue} from the database alone, for a metric: charges less postings, and less invoice lines.

    A record that one sink has read and another has not yet is no residue. With routes, a charge may legitimately be
    missing from the journal (`everything_is_posted` is False). Raises Unreachable.
    """
    parameters = {"topic": CHARGES_TOPIC, "journal": JOURNAL, "all": everything_is_posted}
    with transaction(pool) as cursor:
        rows = cursor.execute(_RESIDUES, parameters).fetchall()
    return {(str(kind), str(currency)): Decimal(residue) for kind, currency, residue in rows}
