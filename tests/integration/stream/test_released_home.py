"""A home of the last release starts under the code of today: topics, workers' state and database go on as they are.

`tests/data/released/home-*.tar.xz` was written by that release: the topics' logs and the workers' state as they lay on
disk after a clean stop, and the database as `pg_dump` wrote it. Both examples had been billed, and invoices issued.
"""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devstack.stack import Stack
from settings import Settings
from tests.integration.stream.running import running
from tests.unit.tables.stream import Line

HOMES = sorted((Path(__file__).parents[2] / "data" / "released").glob("home-*.tar.xz"))
CHARGED = 870  # subjects, by the audit of that release
# An expense in a currency that the contract of today refuses; docs/limits.md says what to do.
REFUSED_TODAY: Line = {
    "topic": "expenses",
    "key": "E-EDGE-3",
    "value": {
        "expense_id": "edge-2",
        "engagement_id": "E-EDGE-3",
        "consultant_id": "C-NOBODY",
        "category": "travel",
        "incurred_on": "2023-05-02",
        "amount": "30",
        "currency": "USD",
        "status": "withdrawn",
        "source": "expensify",
        "revision": 2,
        "occurred_at": "2023-05-03T00:00:00.000Z",
    },
}
ONE_MORE: Line = {
    "topic": "time.entries",
    "key": "E4",
    "value": {
        "entry_id": "one-more",
        "engagement_id": "E4",
        "task_id": "E4-T2",
        "consultant_id": "C2",
        "work_date": "2023-01-30",
        "minutes": 146,
        "billable": True,
        "status": "approved",
        "source": "tempo",
        "revision": 1,
        "occurred_at": "2023-02-03T10:40:23.000Z",
    },
}


@pytest.fixture(params=HOMES, ids=lambda file: file.name.split(".")[0])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A home of that release."""
    place = tmp_path / "home"
    place.mkdir()
    with tarfile.open(request.param) as archive:
        archive.extractall(place, filter="data")
    dump = (place / "database.sql").read_text(encoding="utf-8")
    (place / "database.sql").unlink()
    with Stack.start(Settings.load(home=place, partitions=2)) as stack, psycopg.connect(stack.postgres_url) as database:
        database.execute(dump)  # type: ignore[arg-type]
    yield place
    shutil.rmtree(place)


def test_a_home_of_the_last_release_goes_on(home: Path) -> None:
    with running(home) as stream:
        stream.rest()
        before = {(line["engagement_id"], line["subject"]) for line in stream.books().ledger()}
        assert len(before) == CHARGED
        stream.takes(ONE_MORE, REFUSED_TODAY)
        after = {(line["engagement_id"], line["subject"]) for line in stream.books().ledger()}
        assert after - before == {("E4", "time:one-more")}
        stream.is_right()
        assert stream.ended() == {}
