"""The vault of personal data as commands use it: opened where HOURSTREAM_PEOPLE_KEY_FILE names its key, else none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from people.reading import Reading
from people.sealing import Sealing
from people.vault import Vault
from runtime.settings import Settings
from schemas.sealed import unopened
from sinks.database import Pool, open_pool
from sinks.migrations import migrate

ERASED_FILE = "people.erased"


def vault_of(settings: Settings, pool: Pool) -> Vault | None:
    """The vault of a database that is migrated. Raises PeopleError."""
    if settings.people_key_file is None:
        return None
    return Vault.open(pool, settings.people_key_file, erased_file_of(settings, settings.people_key_file))


def erased_file_of(settings: Settings, key_file: Path) -> Path:
    """Where the list of erasures is."""
    return settings.people_erased_file or key_file.with_name(ERASED_FILE)


@contextmanager
def open_vault(settings: Settings, postgres_url: str) -> Iterator[Vault | None]:
    """The same for a command that has no connections of its own. Raises PeopleError."""
    if settings.people_key_file is None:
        yield None
        return
    with open_pool(postgres_url, max_size=2) as pool:
        migrate(pool)
        yield vault_of(settings, pool)


def sealing(vault: Vault | None) -> Sealing | None:
    """What seals a command's records; None where personal data is published in clear."""
    return None if vault is None else Sealing(vault)


def reading(vault: Vault | None) -> Reading | None:
    """What opens texts for whoever has the key."""
    return None if vault is None else Reading(vault)


def readable(look: Reading | None, text: str) -> str:
    """A text as whoever asks may read it: names where they have the key, tokens where not."""
    return unopened(text) if look is None else look.shown(text)
