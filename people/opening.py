"""The vault as the settings name it: none where HOURSTREAM_PEOPLE_KEY_FILE names no key."""

from pathlib import Path

from people.vault import Vault
from runtime.settings import Settings
from sinks.database import Pool

ERASED_FILE = "people.erased"


def vault_of(settings: Settings, pool: Pool) -> Vault | None:
    """The vault of a database that is migrated. Raises PeopleError."""
    if settings.people_key_file is None:
        return None
    return Vault.open(pool, settings.people_key_file, erased_file_of(settings, settings.people_key_file))


def erased_file_of(settings: Settings, key_file: Path) -> Path:
    """Where the list of erasures is."""
    return settings.people_erased_file or key_file.with_name(ERASED_FILE)
