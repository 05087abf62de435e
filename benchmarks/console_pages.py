"""How long the console's pages take at 1,000,000 subjects: generated straight into the read models, asked over HTTP.

    python -m benchmarks.console_pages [SUBJECTS]

Prints p50, p95 and the slowest of each page in milliseconds, from request to last byte on loopback, one by one.
"""

import random
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import LiteralString

from rich.console import Console
from rich.table import Table

from cli.console import ANYBODY, serving
from devstack.stack import Stack
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool, transaction
from warehouse.aggregates import sum_up
from warehouse.masters import ACCOUNTS

REQUESTS, WARM = 60, 5
_NO_BROKER = "127.0.0.1:1"  # pages only read; nothing is published
_AIM_MS = 200.0

# 2,000 engagements of 300 clients. Two fifths of the subjects are parked; three fifths were, are charged and posted by
# now, and half of those are invoiced.
_FILL: tuple[LiteralString, ...] = (
    """
    INSERT INTO hourstream.masters SELECT 'master.clients', 'C' || n, jsonb_build_object(
        'client_id', 'C' || n, 'name', 'Client ' || n, 'region', (ARRAY['AMER', 'EMEA', 'APAC'])[n %% 3 + 1])
    FROM generate_series(1, 300) n
    """,
    """
    INSERT INTO hourstream.masters SELECT 'master.engagements', 'E' || n, jsonb_build_object(
        'engagement_id', 'E' || n, 'name', 'Engagement ' || n, 'client_id', 'C' || n %% 300 + 1,
        'currency', (ARRAY['EUR', 'USD', 'GBP'])[n %% 3 + 1], 'owner', 'owner' || n %% 40 || '@example.com')
    FROM generate_series(1, 2000) n
    """,
    """
    INSERT INTO hourstream.time_entries
    SELECT 'E' || n %% 2000 + 1, 't' || n, 1, CASE WHEN n %% 50 = 0 THEN 'submitted' ELSE 'approved' END,
           'T' || n %% 9000, 'P' || n %% 3000, 'Senior', date '2024-01-01' + (n %% 700)::int, 30 + n %% 450, true,
           'lead', now() - make_interval(secs => n %% 5000000), 0, n
    FROM generate_series(1, %(subjects)s) n
    """,
    """
    INSERT INTO hourstream.exceptions
    SELECT md5('x' || n), 'E' || n %% 2000 + 1, 'time:t' || n, 1,
           (ARRAY['NO_RATE', 'UNKNOWN_TASK', 'OUTSIDE_CONTRACT_DATES', 'DAY_OVER_24H'])[n %% 4 + 1],
           'What is wrong with this one, in a sentence that a person reads.',
           (ARRAY['rate', 'task', '', ''])[n %% 4 + 1],
           CASE n %% 4 WHEN 0 THEN 'card RC-' || n %% 2000 || ' / Senior' WHEN 1 THEN 'T' || n %% 9000 ELSE '' END,
           NULL, CASE WHEN n %% 7 = 0 THEN n %% 900 END, 30 + n %% 450,
           CASE WHEN n %% 5 < 2 THEN 'open' ELSE 'resolved' END,
           now() - make_interval(secs => n), 1 + n %% 3, 'owner' || (n %% 2000 + 1) %% 40 || '@example.com',
           (ARRAY['AMER', 'EMEA', 'APAC'])[(n %% 2000 + 1) %% 3 + 1], now(), 0, n
    FROM generate_series(1, %(subjects)s) n
    """,
    """
    INSERT INTO hourstream.charges
    SELECT md5('c' || n), NULL, 'time:t' || n, 'time', 'E' || n %% 2000 + 1, 'C' || (n %% 2000 + 1) %% 300 + 1, 'LE',
           'P' || n %% 3000, 'T' || n %% 9000, 'Senior', date '2024-01-01' + (n %% 700)::int,
           to_char(date '2024-01-01' + (n %% 700)::int, 'YYYY-MM'), 30 + n %% 450, 30 + n %% 450, 120, 'hour', 1,
           (ARRAY['EUR', 'USD', 'GBP'])[(n %% 2000 + 1) %% 3 + 1], (30 + n %% 450) * 2, NULL, 'S', 20, NULL,
           (ARRAY['AMER', 'EMEA', 'APAC'])[(n %% 2000 + 1) %% 3 + 1], 'lead', now(), 'card RC line 1: 120 per hour',
           '[]', '{}', 'billing.ready', 0, n, now()
    FROM generate_series(1, %(subjects)s) n WHERE n %% 5 >= 2
    """,
    """
    INSERT INTO hourstream.journal_postings
        (system, posting_id, charge_id, status, subject, kind, engagement_id, client_id, legal_entity, work_date,
         period, worked_minutes, billable_minutes, currency, amount, topic, partition, record_offset, posted_at)
    SELECT 'journal', charge_id, charge_id, 'posted', subject, kind, engagement_id, client_id, legal_entity, work_date,
           period, worked_minutes, billable_minutes, currency, amount, topic, partition, record_offset, now()
    FROM hourstream.charges
    """,
    """
    INSERT INTO hourstream.history
    SELECT 'time.entries', 0, n, 'E' || n %% 2000 + 1, 'time:t' || n, now(), 'fact', 'revision 1, approved', NULL
    FROM generate_series(1, %(subjects)s) n
    """,
    """
    INSERT INTO hourstream.history
    SELECT 'billing.exceptions', 0, n, 'E' || n %% 2000 + 1, 'time:t' || n, now(), 'exception', 'open NO_RATE', NULL
    FROM generate_series(1, %(subjects)s) n
    """,
    "INSERT INTO hourstream.invoice_runs (cut_off, issue_date, end_offsets, run_at) VALUES (now(), now(), '{}', now())",
    """
    INSERT INTO hourstream.invoices (
        invoice_id, document, run, kind, status, legal_entity, year, sequence, client_id, engagement_id,
        engagement_name, currency, issue_date, due_date, net, tax, rounding, payable, seller, buyer, credits)
    SELECT 'INV-' || n, 'INV-' || n, 1, 'invoice', 'issued', 'LE', 2025, n, 'C' || n %% 300 + 1, 'E' || n,
           'Engagement', 'EUR', now(), now(), 0, 0, 0, 0, '{}', '{}', '{}'
    FROM generate_series(1, 2000) n
    """,
    """
    INSERT INTO hourstream.invoice_charges
    SELECT 'INV-' || substr(engagement_id, 2), charge_id, true FROM hourstream.charges WHERE record_offset %% 2 = 0
    """,
    """
    INSERT INTO hourstream.flow
    SELECT partition, extract(epoch FROM now())::bigint / 60 - minute, what, 500 + minute %% 90
    FROM generate_series(0, 3) partition, generate_series(0, 2880) minute,
         unnest(ARRAY['charges', 'entries approved', 'exceptions open', 'exceptions resolved', 'postings posted']) what
    """,
)


def fill(pool: Pool, subjects: int, tell: Callable[[str], None]) -> None:
    """The read models of so many subjects, summed up."""
    for statement in _FILL:
        began = time.monotonic()
        with transaction(pool) as cursor:
            rows = cursor.execute(statement, {"subjects": subjects}).rowcount
        tell(f"{statement.split('INSERT INTO ')[1].split()[0]}: {rows:,} rows in {time.monotonic() - began:.1f} s")
    with transaction(pool) as cursor:
        cursor.execute(ACCOUNTS)
    with pool.connection() as connection:
        connection.autocommit = True
        connection.execute("VACUUM (ANALYZE)")
        connection.autocommit = False
    tell(f"everything summed up in {sum_up(pool):.1f} s")


def pages(pool: Pool, subjects: int) -> dict[str, Callable[[], str]]:
    """The address of each page; pages with an id or a filter get another address each time."""
    draw = random.Random(7)  # noqa: S311 - to draw pages, not secrets
    with transaction(pool) as cursor:
        places = cursor.execute(
            "SELECT exception_id, first_seen, minutes FROM hourstream.exceptions WHERE status = 'open'"
            " AND record_offset % 1009 = 0 LIMIT 500"
        ).fetchall()

    def entry(parked: bool) -> int:
        return draw.randrange(subjects // 5) * 5 + (1 if parked else 3)

    def place() -> tuple[str, str, int]:
        exception_id, first_seen, minutes = draw.choice(places)
        return exception_id, first_seen.strftime("%Y-%m-%dT%H:%M:%S.%f%%2B00:00"), minutes

    def by_age() -> str:
        return f"/exceptions?after={place()[0]}&value={place()[1]}"

    def by_minutes() -> str:
        return f"/exceptions?by=minutes&after={place()[0]}&value={place()[2]}"

    return {
        "overview": lambda: "/",
        "causes": lambda: f"/causes?page={draw.randrange(1, 20)}",
        "causes of a client": lambda: f"/causes?client=C{draw.randrange(1, 300)}",
        "exceptions by age": by_age,
        "exceptions by minutes": by_minutes,
        "exceptions of a region": lambda: by_age() + f"&region={draw.choice(['AMER', 'EMEA', 'APAC'])}",
        "exceptions of an owner": lambda: f"/exceptions?owner=owner{draw.randrange(40)}@example.com",
        "exceptions of a client": lambda: f"/exceptions?client=C{draw.randrange(1, 300)}",
        "exceptions of an engagement": lambda: f"/exceptions?engagement=E{draw.randrange(1, 2000)}",
        "exceptions of a cause": lambda: f"/exceptions?code=UNKNOWN_TASK&kind=task&missing=T{draw.randrange(9000)}",
        "exception": lambda: f"/exceptions/{place()[0]}",
        "trace": lambda: f"/trace?engagement=E{(n := entry(parked=False)) % 2000 + 1}&subject=time:t{n}",
        "search": lambda: f"/search?q=t{entry(parked=True)}",
        "invoice": lambda: f"/invoice?id=INV-{draw.randrange(1, 2000)}",
        "WIP aging": lambda: f"/unbilled?stage={draw.choice(['submitted', 'parked', 'charged'])}",
        "throughput by minute": lambda: "/throughput",
        "throughput by hour": lambda: "/throughput?by=hour",
        "reconciliation": lambda: "/reconciliation",
    }


def ask(address: str) -> float:
    """Milliseconds until the last byte. Raises HTTPError for an error page."""
    began = time.perf_counter()
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - on loopback
        answer.read()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Fill, ask, print."""
    subjects = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    screen = Console(highlight=False)
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.load(home=Path(home), broker=_NO_BROKER, postgres_buffers_mb=256)
        with Stack.start(settings) as stack, open_pool(stack.postgres_url) as pool:
            migrate(pool)
            fill(pool, subjects, screen.print)
            table = Table(
                "page", "p50 ms", "p95 ms", "slowest ms", title=f"{subjects:,} subjects", title_justify="left"
            )
            late = []
            with serving(stack.settings, pool, port=0, everybody=ANYBODY) as address:
                for name, next_page in pages(pool, subjects).items():
                    took = [ask(address + next_page()) for _ in range(REQUESTS + WARM)][WARM:]
                    p95 = statistics.quantiles(took, n=20)[-1]
                    table.add_row(name, f"{statistics.median(took):.0f}", f"{p95:.0f}", f"{max(took):.0f}")
                    late += [name] if p95 > _AIM_MS else []
            screen.print(table)
            screen.print(f"p95 over {_AIM_MS:g} ms: {', '.join(late) or 'none'}")


if __name__ == "__main__":
    main()
