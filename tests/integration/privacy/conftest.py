"""A database with a vault, and the files it needs."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from privacy.vault import Vault
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import fresh_pool


@dataclass(frozen=True, slots=True)
class Safe:
    """A vault's database, and where its key and its list of erasures are."""

    pool: Pool
    key_file: Path
    list_file: Path

    def open(self) -> Vault:
        """The vault as any process opens it."""
        return Vault.open(self.pool, self.key_file, self.list_file)


def key_in(file: Path) -> Path:
    """A new key of a vault."""
    file.touch(mode=0o600)
    file.write_text(secrets.token_hex(32) + "\n")
    return file


@pytest.fixture
def safe(database: str, tmp_path: Path) -> Iterator[Safe]:
    with fresh_pool(database) as pool:
        yield Safe(pool, key_in(tmp_path / "key"), tmp_path / "people.erased")
