"""References that lead nowhere: fields that name a record which neither the file nor the topics hold."""

import difflib
from collections.abc import Iterator, Set

from operations.firm.known import Known
from sources.workbook.assemble import Draft
from sources.workbook.layout import sheets_of
from sources.workbook.problems import Problem
from sources.workbook.records import FirmData
from sources.workbook.references import REFERENCES, Reference, references_of
from topics.catalogue import TOPICS


def dangling(data: FirmData, known: Known) -> Iterator[Problem]:
    """A fault for each reference without its record. A row that has a fault of its own is no missing row."""
    ids = {topic: known.ids(topic) for topic in set(REFERENCES.values())}
    for draft, value in data.drafts:
        if draft.topic in ids:
            ids[draft.topic].add(str(value.get(TOPICS[draft.topic].id[-1])))
    for draft, value in data.drafts:
        for reference in references_of(draft.topic, value):
            if reference.id not in ids[reference.topic] and reference.path not in draft.bad:
                yield _problem(draft, reference, ids[reference.topic])


def _problem(draft: Draft, reference: Reference, there: Set[str]) -> Problem:
    sheet = sheets_of(reference.topic)[0].title
    near = difflib.get_close_matches(reference.id, sorted(there), n=1, cutoff=0.7)
    hint = f"did you mean {near[0]!r}? Else " if near else ""
    what = f"leads nowhere: {sheet} has no such row"
    return Problem(
        draft.place_of(reference.path), repr(reference.id), what, f"{hint}add it to {sheet}, or correct the cell"
    )
