"""One stack for all tests of files and messages."""

from collections.abc import Iterator

import pytest

from tests.integration.sources.running import Installation, installation


@pytest.fixture(scope="package")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("sources"), "masters", "intake-harvest") as running:
        yield running
