"""Defects in the rules of every worker, each met by one marked record: Python imports this module as it starts.

A record whose subject ends with `poison-STAGE` makes the rule of that stage raise.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

Rule = Callable[..., Any]


def fails_of(module: str, name: str, mark: str) -> None:
    """Have `module.name` raise for arguments that say the mark."""
    holder = import_module(module)
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    rule: Rule | None = getattr(holder, last, None)
    if rule is None:  # Python goes on after an exception here, and nothing would be planted
        raise SystemExit(f"{module}.{name} is gone: plant the defect in another rule")

    def defective(*arguments: object, **named: object) -> object:
        if mark in repr(arguments):
            raise ZeroDivisionError(f"planted in {module}.{name}")
        return rule(*arguments, **named)

    setattr(holder, last, defective)


if "worker" in sys.orig_argv:
    fails_of("agents.settle", "_wanted", "poison-settle")
    fails_of("agents.masters", "resolve_revision", "poison-masters")
    fails_of("agents.charge_status", "ChargeEvent", "poison-lifecycle")
    fails_of("tables.finance_rollup", "Overview.take", "poison-metrics")
    fails_of("sinks.journal", "_ledger_fields", "poison-erp")
    fails_of("invoicing.charge_projection", "_staged", "poison-billing")
    fails_of("sources.engine", "Mapper.apply", "poison-intake")
