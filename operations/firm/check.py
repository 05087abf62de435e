"""The check of a firm's own data: every fault at once, then what the data would mean. Needs no broker."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations.firm.dangling import dangling
from operations.firm.findings import Finding
from operations.firm.known import Known, masters_of
from operations.firm.preview import Preview, facts_of, preview
from operations.firm.set_up import set_up
from rating.model.facts import TimeEntry
from sources.workbook.problems import Problem
from sources.workbook.record_check import FirmRecord
from sources.workbook.records import OF_THE_ENTITY, FirmData, read_firm
from topics import topic_names

_ENTITIES = topic_names.MASTER_LEGAL_ENTITIES


@dataclass(slots=True)
class Checked:
    """The result of a check. Findings and previews are empty where there are faults of references or records."""

    data: FirmData
    problems: list[Problem]
    findings: list[Finding] = field(default_factory=list)
    previews: list[Preview] = field(default_factory=list)

    @property
    def records(self) -> list[FirmRecord]:
        """The sound records."""
        return self.data.records

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "rows": self.data.rows,
            "records": len(self.records),
            "errors": [each.as_json() for each in self.problems],
            "findings": [each.as_json() for each in self.findings],
            "would_charge": [each.as_json() for each in self.previews],
        }


def check_firm(path: Path, known: Known | None = None, *, open_references: bool = False) -> Checked:
    """Check a workbook, CSV or JSON lines, and find what it would mean. Raises Unreadable.

    `known` are records of the topics that references may name; with `open_references` every reference may lead nowhere
    for now.
    """
    beside = known or Known()
    checked = errors_of_firm(path, beside, open_references=open_references)
    masters, facts = masters_of(checked.records, beside), facts_of(checked.records)
    checked.findings = list(set_up(masters, checked.records, _time(facts)))
    checked.previews = preview(masters, facts)
    return checked


def errors_of_firm(path: Path, known: Known, *, open_references: bool) -> Checked:
    """The errors of the same, without findings and previews. Raises Unreadable."""
    entities = {own: each.value for (topic, _, own), each in known.records.items() if topic == _ENTITIES}
    data = read_firm(path, entities)
    problems = [*data.problems, *(_without_seller(data) if open_references else dangling(data, known))]
    problems.sort(key=lambda problem: (problem.place.file, data.order(problem.place.sheet), problem.place.row or 0))
    return Checked(data, problems)


def _without_seller(data: FirmData) -> Iterator[Problem]:
    """Engagements whose legal entity is not known yet must name the seller's country themselves."""
    for draft, value in data.drafts:
        if draft.topic == topic_names.MASTER_ENGAGEMENTS and value.get("legal_entity"):
            for name in OF_THE_ENTITY:
                if name in draft.bad and value.get(name) is None:
                    what = f"legal entity {value['legal_entity']} is not known, so its country is not"
                    yield Problem(draft.place_of(name), "missing", what, "give it, or add the legal entity")


def _time(facts: list[Any]) -> Iterator[TimeEntry]:
    return (each for each, _ in facts if isinstance(each, TimeEntry))
