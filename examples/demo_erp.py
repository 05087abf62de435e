"""The demo's charges in a real Tryton: delivered, invoiced, posted, paid and compared with the ledger to the cent.

Tryton's figures are read from its own database, not from what we sent. The delivery worker polls it for the status of
its invoices, as in production, so that the charges end as paid.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
from rich.table import Table
from rich.text import Text

from cli.plain_console import verdict
from cli.progress import progress_bars
from devstack.stack import Stack
from devstack.supervisor import Workers
from devstack.tryton import Company, TrytonBooks, TrytonCurrency, TrytonServer
from invoicing.party_lookup import names
from invoicing.status_intake import EVENTS_TOPIC
from operations.quiescence import DELIVERY, NotQuiet, unsent, wait_until_quiet
from rating.model.money import minor_units
from sinks.delivery.secret_ref import Secret
from sinks.http.client import Calls
from sinks.outbox import Outbox
from sinks.tryton.client import TrytonClient
from sinks.tryton.invoices import TrytonInvoice, TrytonInvoices
from sinks.tryton.payments import TrytonPayments
from sinks.tryton.rpc import TrytonRpc
from storage.postgres import Pool, scalar, transaction
from streaming.topic_reader import read_valid
from topics import topic_names

NAME = "tryton"
PAYS_AFTER = timedelta(days=21)
Tell = Callable[[str], None]
_ANSWER_SECONDS = 300.0
_DELIVERY_SECONDS = 7200.0
_TELLING_SECONDS = 600.0

_TARGETS = """\
targets:
  tryton:
    kind: tryton
    tryton: {{url: "{url}", key: "file:{key}", answer_seconds: {seconds}}}
    concurrency: 2
    statuses: {{every_seconds: 2}}
"""


@dataclass(frozen=True, slots=True)
class ErpFigures:
    """The content of Tryton's database, and the time it took: seconds for charges, for posting and for payments."""

    charges: int
    minutes: int
    amount: Decimal  # of the charges
    on_invoices: int  # charges with an amount
    invoices: int
    net: Decimal  # of the posted invoices, by their revenue lines in the books
    open: Decimal  # receivables not paid
    paid: Decimal
    seconds: tuple[float, float, float]


def books_of(pool: Pool, broker: str, until: date) -> TrytonBooks:
    """Companies, currencies and taxes for the charges there are, and the years from the first of them `until` then."""
    known = names(broker)
    with transaction(pool) as cursor:
        asked = "SELECT DISTINCT legal_entity, currency FROM hourstream.charges ORDER BY 1, 2"
        sold = cursor.execute(asked).fetchall()
        asked = "SELECT DISTINCT tax_category, tax_rate FROM hourstream.charges WHERE tax_category IS NOT NULL"
        taxes = cursor.execute(asked).fetchall()
        first = cursor.execute("SELECT min(work_date) FROM hourstream.charges").fetchone()
    since = first[0].year if first and first[0] else until.year
    companies = []
    for entity_id, currency in dict(reversed(sold)).items():
        entity = known.legal_entities.get(entity_id)
        name, country = (entity.name, entity.country) if entity else (entity_id, "US")
        companies.append(Company(entity_id, name, currency, country))
    return TrytonBooks(
        companies=companies,
        currencies=[TrytonCurrency(code, minor_units(code)) for code in sorted({currency for _, currency in sold})],
        taxes=[(category, str(rate)) for category, rate in taxes],
        years=[*range(since, until.year + 1)],
    )


def post_to_tryton(
    stack: Stack, workers: Workers, pool: Pool, home: Path, issued: date, tell: Tell
) -> tuple[ErpFigures, Table]:
    """Run all steps in Tryton; returns its content, and the table that compares it with the ledger."""
    with TrytonServer.start(
        home / "tryton", stack.settings, stack.postgres_url, books_of(pool, stack.broker, issued + PAYS_AFTER), tell
    ) as tryton:
        with _delivering(stack, tryton, tell) as delivery:
            seconds = [_timed(lambda: _until_delivered(stack, pool, delivery))]
            calls = Calls(5.0, _ANSWER_SECONDS, None)
            client = TrytonClient(tryton.url, Secret.of(f"file:{tryton.secret('delivery-key')}"), calls)
            invoices = TrytonInvoices(client)
            tell(f"posting {len(invoices.all('draft'))} draft invoices there, dated {issued} ...")
            seconds.append(_timed(lambda: [invoices.post(each, issued) for each in invoices.all("draft", "validated")]))
            password = Secret.of(f"file:{tryton.secret('payment-password')}")
            payments = TrytonPayments(TrytonRpc(tryton.url, "hourstream-payment", password, calls))
            posted = invoices.all("posted")
            tell(f"paying {len(posted)} posted invoices there, on {issued + PAYS_AFTER} ...")
            seconds.append(_timed(lambda: _pay(payments, posted, issued + PAYS_AFTER)))
            _until_told(pool, delivery)
        with progress_bars(workers) as show:
            wait_until_quiet(workers, stack.broker, lambda: unsent(pool), progress=show)
        taken = _ask(tryton, (seconds[0], seconds[1], seconds[2]))
        return taken, _table(taken, _ledger(pool), _states(stack))


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


@contextmanager
def _delivering(stack: Stack, tryton: TrytonServer, tell: Tell) -> Iterator[Workers]:
    """The worker of this one target, which delivers to it and polls it for the status of its invoices."""
    file = tryton.secret("delivery-key").parent.parent / "targets.yaml"
    key = tryton.secret("delivery-key")
    file.write_text(_TARGETS.format(url=tryton.url, key=key, seconds=_ANSWER_SECONDS), encoding="utf-8")
    settings = stack.settings.model_copy(update={"targets": file})
    tell("delivering the charges to Tryton ...")
    with Workers(settings, (DELIVERY + NAME,), settings.environment()) as delivery:
        yield delivery


def _until_delivered(stack: Stack, pool: Pool, delivery: Workers) -> None:
    with progress_bars(delivery) as show:
        wait_until_quiet(delivery, stack.broker, lambda: unsent(pool), seconds=_DELIVERY_SECONDS, progress=show)


def _until_told(pool: Pool, delivery: Workers) -> None:
    """Wait until all present events of Tryton's invoices are on their topic. Raises NotQuiet."""
    with transaction(pool) as cursor:
        now = scalar(cursor, "SELECT now()")
    deadline = time.monotonic() + _TELLING_SECONDS
    while not _is_told(pool, now) or Outbox(pool, EVENTS_TOPIC).unsent():
        delivery.check()
        if time.monotonic() > deadline:
            raise NotQuiet(f"Tryton has not reported the status of its invoices in {_TELLING_SECONDS:g} s")
        time.sleep(0.2)


def _is_told(pool: Pool, now: object) -> bool:
    with transaction(pool) as cursor:
        query = "SELECT told_until >= %s FROM hourstream.status_looks WHERE target = %s"
        return scalar(cursor, query, (now, NAME)) is True


def _pay(payments: TrytonPayments, posted: list[TrytonInvoice], on: date) -> None:
    for invoice in posted:
        payments.pay(invoice, f"demo payment of {invoice.number}", on)


def _ask(tryton: TrytonServer, seconds: tuple[float, float, float]) -> ErpFigures:
    with psycopg.connect(tryton.database_url) as connection:
        charges = connection.execute(
            "SELECT count(*), coalesce(sum(worked_minutes), 0), coalesce(sum(amount), 0),"
            " count(*) FILTER (WHERE amount <> 0 AND line IS NOT NULL)"
            " FROM hourstream_charge WHERE released_at IS NULL"
        ).fetchone()
        net = connection.execute(
            "SELECT coalesce(sum(l.credit - l.debit), 0) FROM account_move_line l"
            " JOIN account_move m ON m.id = l.move AND m.state = 'posted'"
            " JOIN account_account a ON a.id = l.account JOIN account_account_type t ON t.id = a.type AND t.revenue"
        ).fetchone()
        receivable = connection.execute(
            "SELECT coalesce(sum(l.debit - l.credit), 0), coalesce(sum(l.credit) FILTER (WHERE l.credit > 0), 0)"
            " FROM account_move_line l JOIN account_account a ON a.id = l.account"
            " JOIN account_account_type t ON t.id = a.type AND t.receivable"
        ).fetchone()
        invoices = connection.execute(
            "SELECT count(*) FROM account_invoice WHERE hourstream_account IS NOT NULL AND state = 'paid'"
        ).fetchone()
    if charges is None or net is None or receivable is None or invoices is None:
        raise RuntimeError("Tryton's database answered with no row to a sum")
    return ErpFigures(
        charges=int(charges[0]),
        minutes=int(charges[1]),
        amount=charges[2],
        on_invoices=int(charges[3]),
        invoices=int(invoices[0]),
        net=net[0],
        open=receivable[0],
        paid=receivable[1],
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True)
class Ledger:
    """The stream's charges, by its own projection."""

    charges: int
    minutes: int
    amount: Decimal
    with_amount: int


def _ledger(pool: Pool) -> Ledger:
    with transaction(pool) as cursor:
        row = cursor.execute(
            "SELECT count(*), sum(worked_minutes)::bigint, sum(amount),"
            " count(*) FILTER (WHERE amount <> 0) FROM hourstream.charges"
        ).fetchone()
    return Ledger(0, 0, Decimal(0), 0) if row is None else Ledger(int(row[0]), int(row[1]), row[2], int(row[3]))


def _states(stack: Stack) -> Mapping[str, int]:
    """The number of charges in each state, by the last record of each."""
    last = dict[str, str]()
    for _, said in read_valid(stack.broker, [topic_names.CHARGE_STATES]):
        last[str(said["charge_id"])] = str(said["state"])
    return Counter(last.values())


def _table(taken: ErpFigures, ledger: Ledger, lives: Mapping[str, int]) -> Table:
    table = Table(title="The same charges in Tryton, asked of its own database", title_justify="left")
    for heading in ("", "ledger", "Tryton", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    for label, ours, theirs in (
        ("charges", ledger.charges, taken.charges),
        ("  those with an amount, on invoices", ledger.with_amount, taken.on_invoices),
        ("worked minutes", ledger.minutes, taken.minutes),
    ):
        table.add_row(label, f"{ours:,}", f"{theirs:,}", _verdict(ours == theirs))
    for label, amount in (("amount of the charges", taken.amount), ("revenue in the books", taken.net)):
        table.add_row(label, f"{ledger.amount:,.2f}", f"{amount:,.2f}", _verdict(ledger.amount == amount))
    table.add_row("invoices posted and paid", "", f"{taken.invoices:,}", "")
    table.add_row("paid", f"{ledger.amount:,.2f}", f"{taken.paid:,.2f}", _verdict(ledger.amount == taken.paid))
    table.add_row("still open", "0.00", f"{taken.open:,.2f}", _verdict(not taken.open))
    rate = taken.charges / taken.seconds[0] if taken.seconds[0] else 0.0
    table.add_row("seconds to deliver", "", f"{taken.seconds[0]:.1f}", f"{rate:,.0f} charges a second")
    table.add_row("seconds to post, to pay", "", f"{taken.seconds[1]:.1f}, {taken.seconds[2]:.1f}", "")
    for state, count in sorted(lives.items()):
        table.add_row(f"charges that came back as {state}", f"{count:,}", "", "")
    return table


def holds(taken: ErpFigures, pool: Pool) -> bool:
    """Whether Tryton's books equal the ledger, to the cent."""
    ledger = _ledger(pool)
    same = (taken.charges, taken.minutes, taken.on_invoices) == (ledger.charges, ledger.minutes, ledger.with_amount)
    return same and taken.amount == taken.net == taken.paid == ledger.amount and not taken.open


def _verdict(same: bool) -> Text:
    return verdict(same, "equal", "DIFFERS")
