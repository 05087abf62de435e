"""Each scenario is written once and run against two subjects; of the stock one the property is known not to hold."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.embedded.stack import Stack
from tests.faults.faust_holes.subjects import Subject

Make = Callable[[str, str], Subject]


def held_by(reason: str, raises: type[Exception] = AssertionError) -> pytest.MarkDecorator:
    """Both subjects; the stock one is known to fail, for this `reason`."""
    stock = pytest.param("stock", marks=pytest.mark.xfail(reason=reason, strict=True, raises=raises))
    return pytest.mark.parametrize("kind", [stock, "hourstream"])


@pytest.fixture
def subject(stack: Stack, tmp_path: Path) -> Iterator[Make]:
    """Makes subjects by kind and hole; they end with the test."""
    made: list[Subject] = []

    def make(kind: str, hole: str) -> Subject:
        made.append(Subject(kind, hole, stack.broker, tmp_path / kind))
        return made[-1]

    yield make
    for each in made:
        each.kill()
