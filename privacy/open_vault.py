"""Opens the vault that the settings name; none if HOURSTREAM_PEOPLE_KEY_FILE is not set."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import Cursor
from psycopg.rows import TupleRow

from privacy.errors import PeopleError
from privacy.vault import Vault
from settings import Settings
from storage.migrations import migrate
from storage.postgres import Pool, open_pool, scalar, transaction

ERASED_FILE = "people.erased"


def vault_of(settings: Settings, pool: Pool) -> Vault | None:
    """The vault of a database that is migrated. Raises PeopleError."""
    if settings.people_key_file is None:
        return None
    return Vault.open(pool, settings.people_key_file, erased_file_of(settings, settings.people_key_file))


def erased_file_of(settings: Settings, key_file: Path) -> Path:
    """The file of the list of erasures."""
    return settings.people_erased_file or key_file.with_name(ERASED_FILE)


def publishing_vault(settings: Settings, pool: Pool) -> Vault | None:
    """The same for publishers. Raises PeopleError also if there is a vault and no key is set.

    Data published in clear beside encrypted data could not be erased, and rows would get other ids.
    """
    vault = vault_of(settings, pool)
    if vault is None:
        with transaction(pool) as cursor:
            if has_vault(cursor):
                raise PeopleError(
                    "personal data of this database is sealed: set HOURSTREAM_PEOPLE_KEY_FILE to the file of its key, "
                    "or it would be published in clear"
                )
    return vault


def has_vault(cursor: Cursor[TupleRow]) -> bool:
    """Whether a migrated database has a vault."""
    return scalar(cursor, "SELECT key_id FROM hourstream.people_vault") is not None


@contextmanager
def open_vault(settings: Settings, postgres_url: str) -> Iterator[Vault | None]:
    """The vault for a command that reads, and has no connections of its own; None without its key."""
    if settings.people_key_file is None:
        yield None
        return
    with open_pool(postgres_url, max_size=2) as pool:
        migrate(pool)
        yield vault_of(settings, pool)


@contextmanager
def open_to_publish(settings: Settings, postgres_url: str) -> Iterator[Vault | None]:
    """The same for a command that publishes: refused where personal data is sealed and the key is not set."""
    with open_pool(postgres_url, max_size=2) as pool:
        migrate(pool)
        yield publishing_vault(settings, pool)
