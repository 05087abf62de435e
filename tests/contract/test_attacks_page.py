"""docs/attacks.md is held to the tests: each row names one, and each attack has a row."""

import re
import subprocess
import sys
from pathlib import Path

from tests.integration.access.attacks_page import with_sections
from tests.integration.security.attacks_page import PAGE, with_section

ROOT = Path(__file__).parents[2]
MARK = "pytest.mark." + "attack"  # not found in this very file
_TEST = re.compile(r"`(tests/[^`]+\.py::[^`]+)`")


def collected(*arguments: str) -> set[str]:
    """Ids of tests as pytest collects them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return {line for line in found.stdout.splitlines() if "::" in line}


def test_each_row_names_a_test_and_each_attack_has_a_row() -> None:
    rows = _TEST.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) == len(set(rows)) >= 120
    named = {row.partition("::")[0] for row in rows}
    marked = {str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/test_*.py") if MARK in path.read_text()}
    assert set(rows) <= collected(*sorted(named))
    assert collected("-m", "attack", *sorted(marked)) <= set(rows)


def test_the_section_about_seals_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_section(page) == page, "python -m tests.integration.security.attacks_page writes it anew"


def test_the_sections_about_console_and_receiver_are_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_sections(page) == page, "python -m tests.integration.access.attacks_page writes them anew"
