"""Databases of every released version start under the code of today, and come to the same schema as a new one.

`tests/data/released/scripts.json` has the migrations of each version by name and digest; the texts of those that were
edited since lie beside it. A released script is never edited again: the last digests hold the files of today to that.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from storage.migrations import SCRIPTS, MigrationChanged, digest_of, migrate
from storage.postgres import Pool

RELEASED = Path(__file__).parents[2] / "data" / "released"
VERSIONS: Mapping[str, Mapping[str, str]] = json.loads((RELEASED / "scripts.json").read_text())
LATEST = list(VERSIONS)[-1]
_COLUMNS = """
SELECT table_name, column_name, data_type, numeric_precision, numeric_scale, is_nullable, column_default, is_identity
FROM information_schema.columns WHERE table_schema = 'hourstream'
"""
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'hourstream'"
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'hourstream'::regnamespace
"""
_VIEWS = "SELECT viewname, definition FROM pg_views WHERE schemaname = 'hourstream'"
_TRIGGERS = "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
_ENGAGEMENT = '{"name": "Audit", "client_id": "C-1", "currency": "EUR", "owner": "ann", "approval_group": "g"}'


def text_of(name: str, digest: str) -> bytes:
    """A script as it was in some version."""
    beside = RELEASED / "scripts" / f"{name.removesuffix('.sql')}.{digest[:12]}.sql"
    text = (beside if beside.exists() else SCRIPTS / name).read_bytes()
    assert digest_of(text) == digest, f"{name} was edited: put its old text under {beside}"
    return text


def schema(pool: Pool) -> list[set[tuple[object, ...]]]:
    """All that makes up the schema, but for the order of columns."""
    with pool.connection() as connection:
        queries = (_COLUMNS, _INDEXES, _CONSTRAINTS, _VIEWS, _TRIGGERS)
        return [set(connection.execute(query).fetchall()) for query in queries]


@pytest.fixture
def empty(pool: Pool) -> Iterator[Pool]:
    """A database without the schema; with it again at the end."""
    with pool.connection() as connection:
        connection.execute("DROP SCHEMA hourstream CASCADE")
    yield pool
    with pool.connection() as connection:
        connection.execute("DROP SCHEMA IF EXISTS hourstream CASCADE")
    migrate(pool)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_a_released_version_starts(empty: Pool, version: str) -> None:
    with empty.connection() as connection:
        connection.execute("CREATE SCHEMA hourstream")
        connection.execute(
            "CREATE TABLE hourstream.migrations"
            " (name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for name, digest in VERSIONS[version].items():
            connection.execute(text_of(name, digest))
            connection.execute("INSERT INTO hourstream.migrations VALUES (%s, %s)", (name, digest))
        if "0020_warehouse.sql" in VERSIONS[version]:
            connection.execute(
                "INSERT INTO hourstream.masters VALUES ('master.engagements', 'E-1', %s)", (_ENGAGEMENT,)
            )
            connection.execute("INSERT INTO hourstream.typical_rates VALUES ('E-1', 'EUR', 100.1234567, 80, 1)")
    assert set(migrate(empty)) == {path.name for path in SCRIPTS.glob("*.sql")} - set(VERSIONS[version])
    assert migrate(empty) == ()
    old = schema(empty)
    with empty.connection() as connection:
        accounts = connection.execute("SELECT count(*) FROM hourstream.accounts").fetchone()
        connection.execute("DROP SCHEMA hourstream CASCADE")
    if version in ("8cac2b5", "0e6100d"):  # whose accounts were a view
        assert accounts == (1,)
    migrate(empty)
    assert old == schema(empty)


def test_released_scripts_are_never_edited() -> None:
    today = {path.name: digest_of(path.read_bytes()) for path in SCRIPTS.glob("*.sql")}
    assert {name: today.get(name) for name in VERSIONS[LATEST]} == VERSIONS[LATEST]


def test_every_text_of_before_has_what_makes_up_the_difference() -> None:
    now = VERSIONS[LATEST]
    edited = {
        f"{name.removesuffix('.sql')}.{digest[:12]}.sql"
        for version in VERSIONS.values()
        for name, digest in version.items()
        if digest != now[name]
    }
    assert edited == {path.name for path in (SCRIPTS / "amended").iterdir()}
    assert edited == {path.name for path in (RELEASED / "scripts").iterdir()}


def test_a_script_that_no_version_had_is_refused(empty: Pool) -> None:
    migrate(empty)
    with empty.connection() as connection:
        connection.execute("UPDATE hourstream.migrations SET digest = 'other' WHERE name = '0006_deliveries.sql'")
    with pytest.raises(MigrationChanged, match=r"0006_deliveries\.sql was applied before and has changed"):
        migrate(empty)
