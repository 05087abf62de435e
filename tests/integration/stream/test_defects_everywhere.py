"""A defect in every process at once, each met by one record: no worker ends, and every other record goes through."""

import re
from pathlib import Path

import pytest

from tests.integration.stream.running import running
from tests.unit.agents.tock_records import as_line
from tests.unit.tables.contents import MASTERS, client, entry, line

DEFECTS = Path(__file__).with_name("defects")
STAGES = ("settle", "lifecycle", "metrics", "erp", "billing")


@pytest.mark.timeout(400)
def test_a_defect_of_every_process_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(DEFECTS))
    with running(tmp_path) as stream:
        stream.takes(*(stream.next_revision(content) for content in MASTERS))
        stream.takes(
            line(entry("E1", "before")),
            *(line(entry("E1", f"poison-{stage}", work_date="2024-02-01", minutes=30)) for stage in STAGES),
            line(entry("E1", "after", work_date="2024-02-02")),
            stream.next_revision(client("poison-masters")),
            as_line("agencies", {"id": 1, "name": "poison-intake"}),
        )
        assert stream.ended() == {}
        assert {stream.state(f"time:{name}") for name in ("before", "after")} == {"charged"}

        letters = {(letter["stage"], letter["topic"]): str(letter["error"]) for letter in stream.letters()}
        assert set(letters) >= {
            ("settle", "time.entries"), ("masters", "master.clients"), ("lifecycle", "billing.ready"),
            ("erp", "billing.ready"), ("billing", "billing.ready"), ("intake", "source.tock.agencies"),
        }  # fmt: skip
        assert {stage for stage, _ in letters} == {*STAGES, "masters", "intake"}
        assert all(error.startswith("ZeroDivisionError: planted in ") for error in letters.values())
        for stage in (*STAGES, "masters", "intake"):
            counted = re.search(r'isolated_total\{stage="\w+",what="record"\} (\S+)', stream.metrics(stage))
            assert counted is not None
            assert float(counted[1]) >= 1
