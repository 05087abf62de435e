"""The vault of personal data as commands use it: what seals on the way in, and what a person may read."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.ciphertext import unopened
from privacy.decrypt import Reading
from privacy.encrypt import Sealing
from privacy.open_vault import publishing_vault, vault_of
from privacy.vault import Vault
from settings import Settings
from storage.migrations import migrate
from storage.postgres import open_pool


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


def sealing(vault: Vault | None) -> Sealing | None:
    """What seals a command's records; None where personal data is published in clear."""
    return None if vault is None else Sealing(vault)


def reading(vault: Vault | None) -> Reading | None:
    """What opens texts for whoever has the key."""
    return None if vault is None else Reading(vault)


def readable(look: Reading | None, text: str) -> str:
    """A text as whoever asks may read it: names where they have the key, tokens where not."""
    return unopened(text) if look is None else look.shown(text)
