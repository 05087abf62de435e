"""`hourstream run` on tens of thousands of facts with every feature: the audit holds, and the order does not matter."""

import json
import os
import secrets
from pathlib import Path
from random import Random

import pytest

from cli.run import process
from devstack.stack import Stack
from settings import Settings
from tests.soak.facts import facts_file
from tests.unit.tables.stream import Line

FACTS = int(os.environ.get("FACTS", "50000"))
SEED = int(os.environ.get("FACTS_SEED", secrets.randbelow(2**32)))
SECONDS = 3 * 3600.0


def ledger_of(lines: list[Line], folder: Path) -> bytes:
    """The ledger that a stack of its own makes of the lines; every statement of the audit is true."""
    file, out = folder / "facts.jsonl", folder / "out"
    folder.mkdir()
    with file.open("w", encoding="utf-8") as text:
        text.writelines(json.dumps(line) + "\n" for line in lines)
    with Stack.start(Settings.load(home=folder / "home")) as stack:
        summary = process([file], out, stack.settings, SECONDS)
    print(json.dumps(summary, indent=2))  # told when something failed
    assert (summary["rejected_lines"], summary["unreadable_records"]) == ([], 0)
    audit = json.loads((out / "audit.json").read_text())
    assert [statement for statement in audit["statements"] if not statement["holds"]] == []
    return (out / "ledger.jsonl").read_bytes()


@pytest.mark.soak
@pytest.mark.timeout(2 * SECONDS)
def test_many_facts_in_two_orders_have_one_ledger_and_a_true_audit(tmp_path: Path) -> None:
    print(f"FACTS={FACTS} FACTS_SEED={SEED}")
    lines = facts_file(FACTS, SEED)
    once = ledger_of(lines, tmp_path / "once")
    Random(SEED + 1).shuffle(lines)
    again = ledger_of(lines, tmp_path / "again")
    assert again == once
