"""The present masters as a workbook: what a person edits where the system runs already."""

from operations.firm.known import read_known
from privacy.decrypt import Reading
from sources.workbook.layout import GIVEN
from sources.workbook.write import Records
from topics.catalogue import MASTERS


def present_masters(broker: str, look: Reading | None) -> Records:
    """{topic: winning records in JSON form, by id}, as `sources.workbook.write` takes them."""
    known = read_known(broker, MASTERS, look).records
    found: dict[str, list[dict[str, object]]] = {topic: [] for topic in MASTERS}
    for (topic, _, _), each in sorted(known.items()):
        found[topic].append({name: value for name, value in each.value.items() if name not in GIVEN})
    return found
