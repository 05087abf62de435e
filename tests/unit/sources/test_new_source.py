"""A new source needs a mapping file and a schema, and not a line of Python: a time clock is added to a checkout."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.stechuhr import EXPORT, checkout_with_it


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout_with_it(tmp_path_factory.mktemp("checkout"))


def typed(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=280)


def test_it_is_listed_with_a_topic_of_its_own(checkout: Path) -> None:
    listed = json.loads(typed(checkout, "sources", "list", "--json").stdout)
    (mine,) = (row for row in listed if row["source"] == "stechuhr")
    assert (mine["entity"], mine["makes"]) == ("buchungen", ["time.entries"])
    assert mine["topic"] == "source.stechuhr.buchungen"


def test_its_file_is_recognised_and_summer_time_counts(checkout: Path, tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    export.write_bytes(EXPORT.encode("windows-1252"))
    told = typed(checkout, "sources", "check", str(export), "--json")
    assert told.returncode == 1, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    assert (found["source"], found["rows"], found["good"]) == ("stechuhr", 5, 3)
    # Eight hours by the clock twice: seven in the night of March, nine in that of October; and eight and a half.
    assert found["makes"]["time.entries"] == {"records": 3, "minutes": 7 * 60 + 9 * 60 + 8 * 60 + 30}
    assert found["codes"]["stechuhr:consultant:Jürgen Groß"] == 3
    assert found["unmapped"] == ["Kostenstelle"]
    twice, backwards = found["bad"]
    assert (twice["line"], twice["why"]) == (
        5,
        "'26.10.2025 02:30' came twice in Europe/Berlin, where clocks were put back; which one is not said",
    )
    assert (backwards["line"], "before it begins" in backwards["why"]) == (6, True)


def test_a_file_that_nobody_knows_is_told_what_it_lacks(checkout: Path, tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    export.write_text("Mitarbeiter;Auftrag;Komen;Gehen\n", encoding="utf-8")
    told = typed(checkout, "sources", "check", str(export))
    assert told.returncode == 1
    assert "the file lacks 'Kommen' (did you mean `Komen`?)" in " ".join(told.stderr.split())
