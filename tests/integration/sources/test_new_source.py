"""The time clock of the unit tests through a real broker: its file is ingested, and mapped by its own intake."""

from pathlib import Path

from operations.jsonl_ingest import Publisher
from tests.integration.sources.running import Installation
from tests.unit.sources.stechuhr import EXPORT, checkout_with_it

STAMP = {"source": "test", "revision": 1, "occurred_at": "2025-01-01T00:00:00Z"}


def map_codes(here: Installation) -> None:
    publisher = Publisher(here.settings.bootstrap)
    for kind, code in (("engagement", "A-1"), ("engagement", "A-2"), ("task", "A-1"), ("task", "A-2")):
        value = {"system": "stechuhr", "kind": kind, "code": code, "canonical_id": f"{kind[0]}-{code}", **STAMP}
        publisher.publish("master.code-map", f"stechuhr:{kind}:{code}", value)
    person = {"system": "stechuhr", "kind": "consultant", "code": "Jürgen Groß", "canonical_id": "C-1", **STAMP}
    publisher.publish("master.code-map", "stechuhr:consultant:Jürgen Groß", person)
    publisher.finish()


def test_a_source_of_yaml_and_a_schema_comes_out_as_time(here: Installation, tmp_path: Path) -> None:
    checkout = checkout_with_it(tmp_path / "checkout")
    export = tmp_path / "export.csv"
    export.write_bytes(EXPORT.encode("windows-1252"))
    told = here.in_a_process("ingest", str(export), "--source", "stechuhr", "--accept-bad-rows", checkout=checkout)
    assert told.returncode == 0, told.stdout
    assert "export.csv: 3 records published, 2 rows to dead.letters" in told.stdout
    map_codes(here)
    worker = here.started("worker", "intake-stechuhr", checkout=checkout)
    try:
        here.waits_for("entries", lambda: len(minutes_of(here)) == 3)
    finally:
        worker.terminate()
        worker.communicate(timeout=60)
    assert minutes_of(here) == {"2025-03-29": 7 * 60, "2025-10-25": 9 * 60, "2025-10-28": 8 * 60 + 30}


def minutes_of(here: Installation) -> dict[str, int]:
    entries = (entry for entry in here.values("time.entries") if entry["source"] == "stechuhr")
    return {entry["work_date"].isoformat(): entry["minutes"] for entry in entries}
