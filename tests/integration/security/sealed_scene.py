"""A small sealed stream whose topics, rows and seals a test may alter as an attacker would, and the commands over it.

The attacker owns Kafka and the database: topics are dropped and written anew with the offsets and times they had, and
rows are changed with triggers and foreign keys switched off. Only the key, and what was printed before, are not theirs.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
from click.testing import CliRunner, Result
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql

from assurance.hash_chain import SEALS, Seal
from assurance.seal_heads import FileCopy, Heads, parse
from assurance.seal_heads_table import TableCopy
from assurance.seal_topic import read_seals
from assurance.sealed_tables import SEALED_TABLES, rows_from
from assurance.sealer import Sealer
from cli.main import main
from console.access import tokens
from console.access.user import ROLES, User
from devstack.postgres import with_database
from devstack.stack import Stack
from invoicing.charge_projection import Projection
from invoicing.run import run_invoices
from schemas.codec import encode
from schemas.json_codec import from_json
from sinks.journal import Journal
from storage.charge_batch import ChargeRecord, ChargeRow, SinkBatch
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.batch import Record
from streaming.topic_reader import read_all
from tests.contract.sinks.sink_charges import charge
from tests.unit.sinks.documents import NAMES
from topics.catalogue import CHARGES_TOPIC

KEY = b"kept elsewhere"
DECISIONS = "exception.decisions"
TOPICS = (CHARGES_TOPIC, DECISIONS, SEALS)
GOLDEN = "golden"
_ENV = ("BROKER", "POSTGRES_URL", "HOME", "SEAL_KEY_FILE", "SEAL_HEADS_FILE")
_PATIENCE = 30.0


@dataclass
class Scene:
    """The stream of one test."""

    broker: str
    url: str
    folder: Path
    stored: Mapping[str, Sequence[Record]]
    key: bytes = KEY
    dirty: set[str] = field(default_factory=set)
    printed: str = ""
    key_mode: int = 0o600

    @property
    def heads_file(self) -> Path:
        """Where the heads are kept."""
        return self.folder / "heads"

    def sql(self, *statements: str) -> None:
        """Change rows as the owner of the tables, with triggers and foreign keys switched off."""
        with psycopg.connect(self.url) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement)

    def rewrite(self, topic: str, records: Sequence[Record] | None) -> None:
        """Drop a topic, and write records at its offsets from 0 on; None: leave it away."""
        self.dirty.add(topic)
        rewrite(self.broker, topic, records)

    def append(self, topic: str, value: bytes | None, key: bytes | None = None, **headers: bytes) -> None:
        """Put a record at the end of a topic."""
        self.dirty.add(topic)
        _produce(self.broker, topic, [Record(topic, 0, 0, 1_700_000_000_000, key, value, tuple(headers.items()))])

    def seals(self, topic: str) -> list[Record]:
        """The records of `billing.seals` that seal a topic."""
        return [each for each in self.stored[SEALS] if (each.key or b"").startswith(topic.encode() + b":")]

    def without(self, *gone: Record) -> list[Record]:
        """All of `billing.seals` but these."""
        return [each for each in self.stored[SEALS] if each not in gone]

    def last_seal(self, topic: str) -> Seal:
        """The last seal of a topic."""
        return read_seals(self.broker, self.key).found[topic, 0][-1].seal

    @contextmanager
    def sealer(self, key: bytes) -> Iterator[Sealer]:
        """A sealer with a key, of the same chains."""
        self.dirty.add(SEALS)
        with open_pool(self.url) as pool:
            yield sealer_of(self.broker, pool, key, self.heads_file)

    def recompute(self, key: bytes) -> None:
        """Make all seals and heads anew over what is there now, from nothing."""
        self.rewrite(SEALS, ())
        self.heads_file.unlink(missing_ok=True)
        self.sql("DELETE FROM hourstream.seal_heads")
        with self.sealer(key) as sealer:
            sealer.seal()

    def write_heads(self, heads: Heads, *, file: bool = True, table: bool = True) -> None:
        """Put heads where they are kept."""
        if file:
            FileCopy(self.heads_file).write(heads.text)
        if table:
            with open_pool(self.url) as pool:
                TableCopy(pool).write(heads.text)

    @property
    def heads(self) -> Heads:
        """The heads as they were when all was sealed."""
        return parse(self.printed)

    def run(self, *arguments: str, key: bytes | None = KEY) -> Result:
        """A command of `hourstream`; `key` None: without one."""
        key_file, saved = self.folder / "key", {name: os.environ.get(f"HOURSTREAM_{name}") for name in _ENV}
        key_file.write_bytes(key or b"")
        key_file.chmod(self.key_mode)
        values = (self.broker, self.url, str(self.folder), "" if key is None else str(key_file), str(self.heads_file))
        os.environ |= {f"HOURSTREAM_{name}": value for name, value in zip(_ENV, values, strict=True)}
        try:
            return CliRunner().invoke(main, list(arguments))
        finally:
            for name, value in saved.items():
                if value is None:
                    os.environ.pop(f"HOURSTREAM_{name}")
                else:
                    os.environ[f"HOURSTREAM_{name}"] = value

    def verify(self, *, key: bytes | None = KEY, printed: bool = False) -> Result:
        """`hourstream verify`, and held to the heads that were printed before the attack."""
        if not printed:
            return self.run("verify", key=key)
        kept_elsewhere = self.folder / "printed"
        kept_elsewhere.write_text(self.printed)
        return self.run("verify", "--head", str(kept_elsewhere), key=key)


def sealer_of(broker: str, pool: Pool, key: bytes, heads: Path) -> Sealer:
    """A sealer as the command makes it."""
    tables = {(topic, 0): _reader(pool, topic) for topic in SEALED_TABLES}
    return Sealer(broker, key, (FileCopy(heads), TableCopy(pool)), others=tables)


def _reader(pool: Pool, topic: str) -> Callable[[int], Iterator[Record]]:
    return lambda number: rows_from(pool, SEALED_TABLES[topic], number)


def _admin(broker: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker, "log_level": 0})


def rewrite(broker: str, topic: str, records: Sequence[Record] | None) -> None:
    """Make a topic anew with these records."""
    admin, deadline = _admin(broker), time.monotonic() + _PATIENCE
    if topic in admin.list_topics(timeout=30).topics:
        admin.delete_topics([topic])[topic].result(30)
    while records is not None:
        assert time.monotonic() < deadline, f"{topic} cannot be made"
        config = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
        try:
            admin.create_topics([NewTopic(topic, 1, 1, config=config)])[topic].result(30)
            break
        except KafkaException:  # still being deleted
            time.sleep(0.05)
    while (topic in admin.list_topics(timeout=30).topics) is (records is None):
        assert time.monotonic() < deadline, f"{topic} does not come or go"
        time.sleep(0.05)
    _produce(broker, topic, records or ())


def _produce(broker: str, topic: str, records: Sequence[Record]) -> None:
    producer = Producer({"bootstrap.servers": broker, "log_level": 0, "linger.ms": 0})
    for record in records:
        producer.produce(
            topic, record.value, record.key, 0, timestamp=record.timestamp_ms, headers=list(record.headers)
        )
    assert producer.flush(30) == 0


CHARGES = [charge(f"t{n}", f"{100 + n}.00", engagement_id=f"E-{1 + n % 2}") for n in range(9)]
_ACT = "INSERT INTO hourstream.acts (name, via, act, subject, reason) VALUES (%s, 'console', 'waive', %s, 'agreed')"


def _decision(n: int) -> bytes:
    value = {
        "decision_id": f"d{n}", "engagement_id": "E-1", "subject": f"time:{n}", "subject_revision": 1,
        "decision": "waive", "reason": "agreed", "by": "ann", "source": "console", "revision": 1,
        "occurred_at": "2025-03-01T00:00:00.000Z",
    }  # fmt: skip
    return encode(DECISIONS, from_json(DECISIONS, value))


def build(stack: Stack, folder: Path, key: bytes) -> tuple[Mapping[str, Sequence[Record]], str]:
    """Seal a stream in three rounds; gives the records of its topics and its heads. Its database is GOLDEN."""
    with psycopg.connect(stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(GOLDEN)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(GOLDEN)))
    for topic in TOPICS:
        rewrite(stack.broker, topic, ())
    heads = folder / "heads"
    heads.unlink(missing_ok=True)
    with open_pool(with_database(stack.postgres_url, GOLDEN)) as pool:
        migrate(pool)
        sealer = sealer_of(stack.broker, pool, key, heads)
        for number in range(3):
            _round(stack.broker, pool, number)
            sealer.seal()
    return {topic: list(read_all(stack.broker, [topic])) for topic in TOPICS}, heads.read_text()


def _round(broker: str, pool: Pool, number: int) -> None:
    charges = CHARGES[3 * number : 3 * number + 3]
    produced = [
        Record(CHARGES_TOPIC, 0, 0, 1_700_000_000_000 + n, c["engagement_id"].encode(), encode(CHARGES_TOPIC, c), ())
        for n, c in enumerate(charges, 3 * number)
    ]
    _produce(broker, CHARGES_TOPIC, produced)
    decided = Record(DECISIONS, 0, 0, 1_700_000_000_000 + number, b"E-1", _decision(number), ())
    _produce(broker, DECISIONS, [decided])
    rows = [ChargeRow(3 * number + n, 1_700_000_000_000, c) for n, c in enumerate(charges)]
    for sink in (Projection(pool), Journal(pool)):
        sink.write(SinkBatch(CHARGES_TOPIC, 0, 3 * number, 3 * number + 3, rows))
    with pool.connection() as connection:
        for name in ("ann", "bob"):
            connection.execute(_ACT, (name, f"time:{number}"))
        connection.execute("INSERT INTO hourstream.delivery_replays (by, reason, selection) VALUES ('ann', 'x', '{}')")
        connection.execute(
            "INSERT INTO hourstream.revenue_plans (engagement_id, planned_minutes, reason, planned_by, planned_at)"
            " VALUES ('E-1', 600, 'offer', 'ann', now())"
        )
    me = User("ann", frozenset(ROLES), sees_rates=True, via="test")
    tokens.create(pool, f"t{number}", "viewer", sees_rates=False, days=30, by=me)
    if number == 0:
        tokens.revoke(pool, "t0", by=me, reason="over")
    _invoice(pool, {0: 3 * number + 3})


def _invoice(pool: Pool, ends: Mapping[int, int]) -> None:
    at = datetime(2025, 4, 1, 12, tzinfo=UTC)
    run_invoices(pool, cut_off=date(2025, 3, 31), issue_date=date(2025, 4, 1), end_offsets=ends, at=at, names=NAMES)


def altered(record: Record, **fields: object) -> Record:
    """A charge with other fields, at the same place and time."""
    from schemas.codec import decode_for

    value: ChargeRecord = decode_for(CHARGES_TOPIC, record.value or b"")  # type: ignore[assignment]
    return record._replace(value=encode(CHARGES_TOPIC, {**value, **fields}))
