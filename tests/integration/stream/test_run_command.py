"""`hourstream run` on a worked example: the same ledger bytes, whatever the order in which the lines stand."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from cli.run import process
from devstack.stack import Stack
from settings import Settings

EXAMPLE = Path(__file__).parents[2] / "data" / "examples" / "time-and-materials"
COMMAND = Path(sys.executable).with_name("hourstream")


def written(folder: Path, seed: int) -> list[Path]:
    """The example's facts in an order of the seed (0: as they are), in two files, with some lines twice."""
    lines = gzip.decompress((EXAMPLE / "facts.jsonl.gz").read_bytes()).splitlines(keepends=True)
    if seed:
        random = Random(seed)
        lines += random.sample(lines, 50)
        random.shuffle(lines)
    folder.mkdir()
    files = [folder / "a.jsonl", folder / "b.jsonl"]
    files[0].write_bytes(b"".join(lines[:200]))
    files[1].write_bytes(b"".join(lines[200:]))
    return files


@pytest.mark.parametrize("seed", range(2))
def test_either_arrival_order_has_the_same_ledger_bytes(seed: int, tmp_path: Path) -> None:
    out, home = tmp_path / "out", tmp_path / "a home"
    files = written(tmp_path / "in", seed)
    if seed == 0:
        with files[1].open("ab") as last:
            last.write(b'{"topic": "time.entries"\n')
        environment = {**os.environ, "HOURSTREAM_HOME": str(home)}
        command = [str(COMMAND), "run", str(tmp_path / "in"), "--out", str(out)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
        assert (done.returncode, "1 lines were rejected" in done.stderr) == (1, True), done.stderr
        assert list(home.glob("run-*")) == []  # the stack of the run is gone
        summary = json.loads(done.stdout)
        assert [line.split(": ")[0] for line in summary["rejected_lines"]] == ["b.jsonl:386"]
    else:
        with Stack.start(Settings.load(home=home)) as stack:
            summary = process(files, out, stack.settings, seconds=240)
    assert (out / "ledger.jsonl").read_bytes() == gzip.decompress((EXAMPLE / "ledger.jsonl.gz").read_bytes())
    assert json.loads((out / "summary.json").read_text()) == summary
    assert json.loads((out / "audit.json").read_text())["all_true"]
    charges = [json.loads(line) for line in (out / "charges.jsonl").read_text().splitlines()]
    assert len({charge["charge_id"] for charge in charges}) == len(charges) > 0
    assert (out / "exceptions.jsonl").read_text()
