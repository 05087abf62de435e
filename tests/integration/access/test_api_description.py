"""The interface held to its own OpenAPI description by schemathesis: real server, real database, real Kafka."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from runtime.admin import admin_client
from runtime.cli.creation import every_topic
from runtime.embedded.stack import Stack
from sinks.database import Pool
from tests.integration.access.doors import console, token
from topics.create import create_topics

EXAMPLES = 12  # of each operation and phase


@pytest.fixture(scope="module")
def bearer(pool: Pool) -> str:
    return token(pool, "admin")


@pytest.fixture(scope="module")
def described(pool: Pool, stack: Stack, bearer: str) -> Iterator[schemathesis.BaseSchema]:
    create_topics(admin_client(stack.broker), every_topic(1), 1)
    with console(pool, broker=stack.broker) as address:
        yield schemathesis.openapi.from_url(
            f"{address}/api/v1/openapi.json", headers={"Authorization": f"Bearer {bearer}"}
        )


interface = schemathesis.pytest.from_fixture("described")


@interface.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_interface_does_what_its_description_says(case: schemathesis.Case, bearer: str) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {bearer}"})
