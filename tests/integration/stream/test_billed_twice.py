"""The same work by hand, from Toggl, from Harvest and from a corrected export: billed once, the others shown."""

from pathlib import Path
from xml.etree import ElementTree

from operations.jsonl_ingest import Publisher
from tests.integration.stream.running import Running, answered, running
from tests.unit.tables.contents import (
    SELLER,
    client,
    consultant,
    engagement,
    entry,
    line,
    rate_card,
    task,
    tax_rule,
)

HARVEST = """Date,Client,Project,Project Code,Task,Notes,Hours,Billable?,Approved?,First Name,Last Name,Currency
2024-01-30,Globex,Brand,GX,Design,{},5.0,Yes,Yes,Ada,L,Euro - EUR
"""
TOGGL = """User,Email,Client,Project,Task,Description,Billable,Start date,Start time,End date,End time,Duration,Tags
Ada,ada@example.com,Globex,Brand,Design,logo concepts,Yes,2024-01-30,09:00:00,2024-01-30,14:00:00,05:00:00,
"""
CODES = {
    "harvest": {"engagement": "Globex / Brand", "task": "Globex / Brand / Design", "consultant": "Ada L"},
    "toggl": {"engagement": "Globex / Brand", "task": "Globex / Brand / Design", "consultant": "ada@example.com"},
}
IDS = {"engagement": "E1", "task": "E1-T1", "consultant": "C1"}


def map_codes(stream: Running) -> None:
    publisher = Publisher(stream.broker)
    stamp = {"source": "test", "revision": 1, "occurred_at": "2024-01-01T00:00:00Z"}
    for system, codes in CODES.items():
        for kind, code in codes.items():
            value = {"system": system, "kind": kind, "code": code, "canonical_id": IDS[kind], **stamp}
            publisher.publish("master.code-map", f"{system}:{kind}:{code}", value)
    publisher.finish()


def asked(stream: Running) -> set[str]:
    listed = answered(stream.hourstream("exceptions", "list", "--code", "POSSIBLE_DUPLICATE", "--json"))
    return {each["subject"] for each in listed if each["status"] == "open"}


def invoiced(stream: Running, out: Path, day: str) -> list[str]:
    """The net amounts of the invoices of a run."""
    dates = ("--cut-off", "2024-01-31", "--issue-date", day)
    run = answered(stream.hourstream("invoice", "run", *dates, "--out", str(out), "--json"))
    stream.rest()
    found = (ElementTree.parse(file).getroot() for file in run["files"])  # noqa: S314 - our own
    return [str(root.findtext(".//{*}LegalMonetaryTotal/{*}TaxExclusiveAmount")) for root in found]


def test_it_is_billed_once_and_the_others_are_shown(tmp_path: Path) -> None:
    with running(tmp_path / "home", sources="tock,harvest,toggl") as stream:
        masters = (
            engagement("E1"), client(), rate_card("100"), task("E1"), consultant("C1", None), tax_rule("19"), SELLER,
        )  # fmt: skip
        stream.takes(*(stream.next_revision(content) for content in masters))
        map_codes(stream)
        stream.takes(line(entry("E1", "hand", 300, note="logo concepts")))
        for name, source, text in (
            ("t.csv", "toggl", TOGGL),
            ("before.csv", "harvest", HARVEST.format("Logo concepts")),
            ("after.csv", "harvest", HARVEST.format("Logo concepts and a first draft")),
        ):
            (tmp_path / name).write_text(text)
            told = stream.hourstream("ingest", str(tmp_path / name), "--source", source)
            assert told.exit_code == 0, told.output
            stream.rest()
        assert "1 wait as possible duplicates or corrections" in told.output
        subjects = asked(stream)
        assert [each.split("-")[0].rpartition(":")[0] for each in sorted(subjects)] == [
            "duplicate",
            "duplicate",
            "source:harvest:entries",
        ]
        assert invoiced(stream, tmp_path / "one", "2024-02-02") == ["500.00"]
        (corrected,) = (each for each in subjects if each.startswith("source:"))
        told = stream.hourstream("exceptions", "decide", corrected, "correction", "--reason", "the note was edited")
        assert told.exit_code == 0, told.output
        (toggl,) = (each for each in subjects if each.startswith("duplicate:toggl"))
        decided = ("exceptions", "decide", toggl, "duplicate", "--engagement", "E1", "--reason", "entered by hand")
        assert stream.hourstream(*decided).exit_code == 0
        stream.rest()
        (left,) = asked(stream)  # Harvest's corrected row, of work that came by hand
        assert left.startswith("duplicate:harvest")
        assert stream.hourstream("exceptions", "decide", left, "correction", "--reason", "x").exit_code != 0
        assert invoiced(stream, tmp_path / "two", "2024-02-03") == []
        (tmp_path / "empty.csv").write_text(HARVEST.partition("\n")[0] + "\n")
        told = stream.hourstream("ingest", str(tmp_path / "empty.csv"), "--source", "harvest", "--closes", "2024-01")
        assert (told.exit_code, "1 of before are withdrawn" in told.output) == (0, True), told.output
        stream.rest()
        assert asked(stream) == set()  # Harvest has none of it any more
