"""A firm's day in the console: the stream running over a worked example, with a source whose codes are not mapped."""

import gzip
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from click.testing import CliRunner
from confluent_kafka.admin import AdminClient

from cli.console import ANYBODY, serving
from cli.main import main
from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from operations.quiescence import unsent, wait_until_quiet
from settings import CHECKOUT, Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from tests.unit.agents.test_intake_codes import CODED
from tests.unit.agents.tock_records import as_line
from topics.create import create_topics
from warehouse.aggregates import sum_up

EXAMPLE = Path(__file__).parents[1] / "data" / "examples" / "time-and-materials" / "facts.jsonl.gz"
ENGAGEMENT, TASK = "E2", "E2-T5"  # where the lines of the unmapped code belong
LINES = 150
FACTS = "facts.jsonl"
NAMES = ("masters", "settle", "erp", "billing", "warehouse")
INTAKE = "import sys; from pathlib import Path; from agents import intake; intake.MAPPING = Path(sys.argv[1]); \
from cli.main import main; main(['worker', 'intake'])"


@dataclass(slots=True)
class Office:
    """The running stream and its console at `address`."""

    settings: Settings
    workers: Workers
    pool: Pool
    address: str

    def rest(self) -> None:
        """Wait until everything has been done, and sum it up."""
        wait_until_quiet(self.workers, self.settings.bootstrap, lambda: unsent(self.pool), seconds=180)
        sum_up(self.pool)

    def publish_facts(self) -> None:
        """The example's facts once more: to settle they are duplicates."""
        publisher = Publisher(self.settings.bootstrap)
        publisher.publish_file(self.settings.home / FACTS)
        publisher.finish()

    def invoice(self, folder: Path) -> None:
        """Invoice everything charged."""
        command = ["invoice", "run", "--cut-off", "2024-12-31", "--issue-date", "2025-01-02", "--out", str(folder)]
        done = CliRunner().invoke(main, command, env=self.settings.environment())
        assert done.exit_code == 0, done.output


# The example names its sellers only; an invoice from the EU says where its seller is and under which VAT id.
SELLER = {
    "legal_entity_id": "Compass GmbH", "name": "Compass GmbH", "country": "DE", "tax_jurisdiction": "DE",
    "vat_id": "DE123456789", "source": "erp", "revision": 1, "occurred_at": "2020-01-01T00:00:00.000Z",
    "address": {"street": "Am Ring 1", "city": "Bonn", "postcode": "53111", "country": "DE"},
}  # fmt: skip


# The client of the engagement that the day is about: the example gives it a VAT id with a digit too few.
CLIENT = {
    "client_id": "CL4", "name": "Client 4", "country": "EE", "region": "EMEA", "tax_jurisdiction": "NOWHERE",
    "currency": "EUR", "payment_terms_days": 30, "vat_id": "EE572093450", "source": "crm", "revision": 9,
    "occurred_at": "2020-01-01T00:00:00.000Z",
}  # fmt: skip


def lines_of_a_source() -> list[dict[str, object]]:
    """Eight hours a day of one project, the code of which nobody has mapped yet."""
    days = [date(2022, 10, 10) + timedelta(days=n) for n in range(LINES)]
    return [
        dict(as_line("lines", {"id": 9000 + n, "timecard": 7, "project": 2, "hours_spent": "8.00",
                               "created": f"{day}T09:00:00.000Z"}))
        for n, day in enumerate(days)
    ]  # fmt: skip


def entries_of_the_example() -> dict[str, int]:
    """{"entries STATUS": records} of the example's facts."""
    lines = (json.loads(line) for line in gzip.decompress(EXAMPLE.read_bytes()).splitlines())
    return dict(Counter(f"entries {line['value']['status']}" for line in lines if line["topic"] == "time.entries"))


def until(what: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds:g} s"
        time.sleep(0.2)


@contextmanager
def working(home: Path) -> Iterator[Office]:
    """Everything started in `home`, the facts taken in; stopped at the end."""
    facts, mapping = home / FACTS, home / "tempo.yaml"
    facts.write_bytes(gzip.decompress(EXAMPLE.read_bytes()))
    mapping.write_text(CODED)
    with Stack.start(Settings.load(home=home, partitions=2)) as stack:
        settings = stack.settings
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(settings.partitions), 1)
        command = [sys.executable, "-c", INTAKE, str(mapping)]
        with (
            open_pool(stack.postgres_url) as pool,
            Workers(settings, NAMES, settings.environment()) as workers,
            subprocess.Popen(command, env=settings.environment(), cwd=CHECKOUT) as intake,
        ):
            migrate(pool)
            try:
                publisher = Publisher(settings.bootstrap)
                publisher.publish_file(facts)
                publisher.publish("master.legal-entities", str(SELLER["legal_entity_id"]), SELLER)
                publisher.publish("master.clients", str(CLIENT["client_id"]), CLIENT)
                for line in lines_of_a_source():
                    publisher.publish(str(line["topic"]), str(line["key"]), line["value"])
                publisher.finish()
                with serving(settings, pool, port=0, everybody=ANYBODY) as address:
                    office = Office(settings, workers, pool, address)
                    until(lambda: _parked(pool) == LINES)
                    office.rest()
                    yield office
            finally:
                intake.terminate()


def _parked(pool: Pool) -> int:
    with pool.connection() as connection:
        if connection.execute("SELECT to_regclass('hourstream.exceptions')").fetchone() == (None,):
            return 0
        found = connection.execute(
            "SELECT count(*) FROM hourstream.exceptions WHERE status = 'open' AND code = 'UNMAPPED_CODE'"
        ).fetchone()
    return 0 if found is None else int(found[0])
