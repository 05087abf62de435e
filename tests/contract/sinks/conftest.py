"""The sinks' schema, empty for every test."""

from collections.abc import Iterator

import pytest

from storage.postgres import Pool
from tests.contract.sinks.sink_charges import fresh_pool


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    """A pool on an empty, migrated schema."""
    with fresh_pool(database) as opened:
        yield opened
