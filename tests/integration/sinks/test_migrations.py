"""Migrations: each script once, all or nothing, one process at a time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from storage.migrations import MigrationChanged, migrate
from storage.postgres import Pool


@pytest.fixture
def folder(pool: Pool, tmp_path: Path) -> Path:
    """A folder of one script, on a database without the schema."""
    with pool.connection() as connection:
        connection.execute("DROP SCHEMA hourstream CASCADE")
    (tmp_path / "0001_first.sql").write_text(
        "CREATE TABLE hourstream.first (id int); INSERT INTO hourstream.first VALUES (1)"
    )
    return tmp_path


def test_each_script_is_applied_once_in_order(pool: Pool, folder: Path) -> None:
    assert migrate(pool, folder) == ("0001_first.sql",)
    (folder / "0003_third.sql").write_text("ALTER TABLE hourstream.second ADD COLUMN name text")
    (folder / "0002_second.sql").write_text("CREATE TABLE hourstream.second (id int)")
    assert migrate(pool, folder) == ("0002_second.sql", "0003_third.sql")
    assert migrate(pool, folder) == ()


def test_a_script_that_fails_leaves_nothing_of_any(pool: Pool, folder: Path) -> None:
    (folder / "0002_broken.sql").write_text("CREATE TABLE hourstream.second (id int); SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(pool, folder)
    with pool.connection() as connection:
        assert connection.execute("SELECT to_regnamespace('hourstream')").fetchone() == (None,)


def test_a_script_changed_afterwards_is_refused(pool: Pool, folder: Path) -> None:
    migrate(pool, folder)
    (folder / "0001_first.sql").write_text("CREATE TABLE hourstream.first (id bigint)")
    with pytest.raises(MigrationChanged, match=r"0001_first\.sql"):
        migrate(pool, folder)


def test_processes_that_start_together_apply_it_once(pool: Pool, folder: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = sorted(threads.map(lambda _: migrate(pool, folder), range(4)))
    assert applied == [(), (), (), ("0001_first.sql",)]
