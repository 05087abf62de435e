"""The interface held to its own OpenAPI description by schemathesis: real server, real database, real Kafka."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from console.access import rate_limit
from devstack.stack import Stack
from operations.all_topics import every_topic
from storage.postgres import Pool
from streaming.admin import admin_client
from tests.integration.access.doors import console, token
from topics.create import create_topics

EXAMPLES = 8  # of each operation, of what the description allows and of what it does not
OPERATIONS = 17
PAGED_IN_TWO_ORDERS = "/api/v1/exceptions"  # what `after` may be hangs on `by`, which no description can say


@pytest.fixture(scope="module")
def bearer(pool: Pool) -> str:
    return token(pool, "admin")


def console_of_many_tries(patch: pytest.MonkeyPatch, pool: Pool, broker: str) -> AbstractContextManager[str]:
    """A console that answers every wrong token with 401: schemathesis sends more than a minute allows."""
    patch.setattr(rate_limit, "WRONG_TOKENS", 100_000)
    return console(pool, broker=broker)


@pytest.fixture(scope="module")
def described(pool: Pool, stack: Stack, bearer: str) -> Iterator[schemathesis.BaseSchema]:
    create_topics(admin_client(stack.broker), every_topic(1), 1)
    with pytest.MonkeyPatch.context() as patch, console_of_many_tries(patch, pool, stack.broker) as address:
        yield schemathesis.openapi.from_url(
            f"{address}/api/v1/openapi.json", headers={"Authorization": f"Bearer {bearer}"}
        )


# Not by schemathesis' own parametrization, which does not work with this pytest.
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_the_interface_does_what_its_description_says(
    described: schemathesis.BaseSchema, bearer: str, mode: GenerationMode
) -> None:
    operations = [result.ok() for result in described.get_all_operations()]
    assert len(operations) == OPERATIONS
    for operation in operations:

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(mode))
        def holds(case: schemathesis.Case) -> None:
            case.call_and_validate(
                headers={"Authorization": f"Bearer {bearer}"},
                excluded_checks=[positive_data_acceptance] if case.operation.path == PAGED_IN_TWO_ORDERS else [],
            )

        holds()
