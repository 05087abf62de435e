"""A row that PostgreSQL refuses is set aside with its reason, and the rest of its batch is committed with it."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from common.errors import Misconfigured, Unreachable
from common.isolation import ISOLATED
from invoicing.charge_projection import Projection
from invoicing.status_events import EventRow
from invoicing.status_intake import StatusIntake
from invoicing.status_mapping import load_words
from sinks.contract import Sink
from sinks.delivery.memory_target import MemoryTarget
from sinks.delivery.queue import DeliverySink
from sinks.journal import Journal
from storage.charge_batch import ChargeRecord, ChargeRow
from storage.postgres import Pool, open_pool, transaction
from storage.sql_errors import kind_of
from tests.contract.sinks.sink_charges import batch, charge
from tests.integration.sinks.test_billing_events import event, payment
from tests.integration.sinks.test_warehouse import entry, parked
from topics.catalogue import CHARGES_TOPIC
from warehouse.events import EXCEPTIONS, TIME, Arrival
from warehouse.writer import Warehouse

SINKS: dict[str, Callable[[Pool], Sink]] = {
    "journal": Journal,
    "projection": Projection,
    "queue": lambda pool: DeliverySink(pool, MemoryTarget()),
}
IDS = {
    "journal": "SELECT charge_id FROM hourstream.journal_postings",
    "projection": "SELECT charge_id FROM hourstream.charges",
    "queue": "SELECT charge_id FROM hourstream.deliveries",
}
LONG = os.urandom(5_000).hex()  # 10,000 characters that do not compress into an index
BAD: dict[str, dict[str, object]] = {
    "a NUL": {"subject": "time:\0"},
    "a lone surrogate": {"client_id": "C-\ud800"},
    "a long id": {"charge_id": LONG},
    "an amount beyond the column": {"amount": Decimal(10) ** 13},
}
REFUSED_BY = {  # a queue keeps amounts and engagements as JSON, and no index has a subject
    "journal": set(BAD),
    "projection": set(BAD),
    "queue": {"a NUL", "a lone surrogate", "a long id"},
}


class Aside:
    """Keeps what is set aside."""

    def __init__(self) -> None:
        self.rows: list[tuple[ChargeRow, Exception]] = []

    def __call__(self, rows: Sequence[tuple[ChargeRow, Exception]]) -> None:
        self.rows = list(rows)


def kept(pool: Pool, kind: str) -> set[str]:
    with pool.connection() as connection:
        found = connection.execute(IDS[kind].encode()).fetchall()
    return {str(charge_id) for (charge_id,) in found}


def windows(pool: Pool, sink: str) -> dict[str, int]:
    with pool.connection() as connection:
        return dict(
            connection.execute(
                "SELECT outcome, sum(records)::int FROM hourstream.windows WHERE sink = %s GROUP BY 1", (sink,)
            ).fetchall()
        )


@pytest.mark.parametrize("kind", SINKS)
def test_bad_charges_are_set_aside_and_the_others_written(pool: Pool, kind: str) -> None:
    sink, aside, before = SINKS[kind](pool), Aside(), ISOLATED.counts()["record"]
    good = [charge(f"good-{n}") for n in range(40)]
    bad: list[ChargeRecord] = [charge(f"bad-{n}", **BAD[why]) for n, why in enumerate(sorted(REFUSED_BY[kind]))]
    mixed = [*good[:10], bad[0], *good[10:25], *bad[1:], *good[25:]]
    written = sink.write(batch(0, mixed), aside)
    assert kept(pool, kind) == {each["charge_id"] for each in good}
    assert [row.charge for row, _ in aside.rows] == bad
    assert [o.charge_id for o in written.outcomes if o.result == "dead"] == [each["charge_id"] for each in bad]
    assert sink.positions(CHARGES_TOPIC, 0) == len(mixed) + 1
    assert windows(pool, sink.name)["dead"] == len(bad)
    assert windows(pool, sink.name)["received"] == len(mixed)
    assert ISOLATED.counts()["record"] == before + len(bad)


@given(places=st.sets(st.integers(0, 11), max_size=12))
@tries(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mixture_leaves_the_good_ones(pool: Pool, places: set[int]) -> None:
    with transaction(pool) as cursor:
        cursor.execute("TRUNCATE hourstream.charges, hourstream.positions CASCADE")
    charges = [charge(str(n), **(BAD["a NUL"] if n in places else {})) for n in range(12)]
    aside = Aside()
    Projection(pool).write(batch(0, charges), aside)
    assert kept(pool, "projection") == {each["charge_id"] for n, each in enumerate(charges) if n not in places}
    assert [row.offset for row, _ in aside.rows] == sorted(places)


def test_nothing_is_committed_when_rows_cannot_be_set_aside(pool: Pool) -> None:
    def fail(_: Sequence[object]) -> None:
        raise ConnectionError("the broker is away")

    projection = Projection(pool)
    with pytest.raises(ConnectionError):
        projection.write(batch(0, [charge("a"), charge("b", **BAD["a NUL"])]), fail)
    assert kept(pool, "projection") == set()
    assert projection.positions(CHARGES_TOPIC, 0) == 0


def test_an_unknown_error_counts_as_content_after_three_tries(pool: Pool) -> None:
    _raise_for(pool, "marked", "ZZ001")
    aside = Aside()
    Projection(pool).write(batch(0, [charge("a"), charge("marked"), charge("c")]), aside)
    assert kept(pool, "projection") == {charge("a")["charge_id"], charge("c")["charge_id"]}
    assert [str(error).partition("\n")[0] for _, error in aside.rows] == ["planted"]


@pytest.mark.parametrize("state", ["08006", "40001", "40P01", "53100", "55P03", "57P01", "58030"])
def test_an_error_that_passes_sets_nothing_aside(pool: Pool, state: str) -> None:
    _raise_for(pool, "marked", state)
    aside, projection = Aside(), Projection(pool)
    with pytest.raises(Unreachable, match="planted"):
        projection.write(batch(0, [charge("a"), charge("marked")]), aside)
    assert (aside.rows, projection.positions(CHARGES_TOPIC, 0)) == ([], 0)


@pytest.mark.parametrize("state", ["28000", "3D000", "3F000", "42501", "42P01"])
def test_an_error_of_the_setup_is_said_and_sets_nothing_aside(pool: Pool, state: str) -> None:
    _raise_for(pool, "marked", state)
    aside = Aside()
    with pytest.raises(Misconfigured, match="check the database URL, its rights and its schema"):
        Projection(pool).write(batch(0, [charge("a"), charge("marked")]), aside)
    assert aside.rows == []


def test_a_role_without_rights_is_an_error_of_the_setup(pool: Pool, database: str) -> None:
    with pool.connection() as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_here")
        connection.execute("CREATE ROLE nobody_here LOGIN PASSWORD 'x'")
    address = psycopg.conninfo.make_conninfo(database, user="nobody_here", password="x")
    with open_pool(address) as poor, pytest.raises(Misconfigured, match="permission denied"):
        Projection(poor).positions(CHARGES_TOPIC, 0)
    with pool.connection() as connection:
        connection.execute("DROP ROLE nobody_here")


def test_a_wrong_password_is_said_and_not_taken_for_a_server_that_is_away(database: str) -> None:
    address = psycopg.conninfo.make_conninfo(database, user="no-such-role", password="x")
    with pytest.raises(Misconfigured, match="no-such-role"):
        open_pool(address, timeout_seconds=2.0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.OperationalError("server closed the connection"), "transient"),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), "content"),
        (OverflowError("date value out of range"), "content"),
        (psycopg.errors.ProgramLimitExceeded("index row size"), "content"),
        (psycopg.errors.UniqueViolation("twice"), "unknown"),
        (psycopg.errors.InternalError_("?"), "unknown"),
    ],
)
def test_errors_of_the_client_have_a_kind_too(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind


def test_the_warehouse_takes_what_it_can(pool: Pool) -> None:
    warehouse, aside = Warehouse(pool), list[tuple[Arrival, Exception]]()
    bad = [parked(1, message="\0"), entry(1, LONG)]
    arrivals = [parked(0), bad[0], parked(2, "time:2"), entry(0), bad[1], entry(2, "2")]
    warehouse.write(0, {EXCEPTIONS: (0, 3), TIME: (0, 3)}, arrivals, aside.extend)
    assert [arrival for arrival, _ in aside] == bad
    with pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM hourstream.exceptions").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM hourstream.time_entries").fetchone() == (2,)
        assert connection.execute("SELECT sum(records) FROM hourstream.flow").fetchone() == (4,)
    assert warehouse.positions(0)[TIME] == 3


def test_the_desk_takes_what_it_can(pool: Pool) -> None:
    desk, aside = StatusIntake(pool, load_words()), list[tuple[EventRow, Exception]]()
    events = [event("1"), event("2", payment=payment("1e13")), event("\0"), event("4", number="X-2")]
    rows = [EventRow(0, n, datetime(2025, 4, 2, tzinfo=UTC), each) for n, each in enumerate(events)]
    desk.write(0, 0, 4, rows, aside.extend)
    assert [row.offset for row, _ in aside] == [1, 2]
    assert desk.position(0) == 4


def _raise_for(pool: Pool, entry_id: str, state: str) -> None:
    """Have the projection's table raise an error for one charge."""
    with pool.connection() as connection:
        connection.execute(
            f"""CREATE FUNCTION hourstream.plant() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.subject = 'time:{entry_id}' THEN RAISE EXCEPTION 'planted' USING ERRCODE = '{state}'; END IF;
            RETURN NEW; END $$""".encode()
        )
        connection.execute(
            "CREATE TRIGGER plant BEFORE INSERT ON hourstream.charges FOR EACH ROW EXECUTE FUNCTION hourstream.plant()"
        )
