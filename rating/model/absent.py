"""An empty optional text means an absent field (DOMAIN.md, Conventions)."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, get_args, get_type_hints


def optional_texts(shape: type[Any]) -> frozenset[str]:
    """The names of the optional text fields of a fact, a master or a nested record: an empty one is absent."""
    return frozenset(_optional_texts(shape))


def _optional_texts(shape: type[Any]) -> Iterator[str]:
    for name, hint in get_type_hints(shape).items():
        if isinstance(hint, UnionType) and set(get_args(hint)) == {str, type(None)}:
            yield name
