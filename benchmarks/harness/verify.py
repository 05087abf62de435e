"""Verifies an output: each distinct entry once, and the sum of the amounts that the generator computed."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from benchmarks.enrichment.generate import Expected


class Wrong(AssertionError):
    """An output that differs from the expected one."""


class Output(NamedTuple):
    """The checked fields of an output record."""

    id: str
    amount: Decimal


def check(values: Sequence[bytes], read: Callable[[bytes], Output], expected: Expected, *, once: bool) -> str:
    """A sentence about the check; raises `Wrong` if it fails.

    With `once`, every id comes exactly once; else (a contender without state) every input record comes once.
    """
    amounts: dict[str, Decimal] = {}
    for value in values:
        output = read(value)
        if amounts.setdefault(output.id, output.amount) != output.amount:
            raise Wrong(f"{output.id} came with {output.amount} and {amounts[output.id]}")
    if len(amounts) != expected.unique:
        raise Wrong(f"{len(amounts)} distinct ids, not {expected.unique}")
    wanted = expected.unique if once else expected.records
    if len(values) != wanted:
        raise Wrong(f"{len(values)} records, not {wanted}")
    if (total := sum(amounts.values(), Decimal(0))) != expected.total:
        raise Wrong(f"the amounts come to {total}, not {expected.total}")
    return f"{wanted} records, {expected.unique} distinct ids, sum {expected.total}"
