"""Reads the worked inputs of tests/data/examples as facts and masters, the way the stream would see them in the end."""

import gzip
import json
from pathlib import Path

from common.errors import InvalidRecord
from rating.model.facts import FACT_TYPES, Fact, Facts, Origin, fact, gathered, identity
from rating.model.master_data import Master
from rating.model.master_records import MASTER_TYPES, master
from rating.model.masters import Masters
from rating.model.revision_order import resolve_revision, winner
from schemas.json_codec import from_json
from topics.catalogue import check

FOLDER = Path(__file__).parents[2] / "data" / "examples"


def lines(path: Path) -> list[dict[str, object]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def load(name: str) -> tuple[dict[str, Facts], Masters]:
    """The winning facts of each engagement, and the masters, of one example."""
    facts: dict[tuple[str, str, str], Fact] = {}
    masters: dict[tuple[str, str], Master] = {}
    for offset, line in enumerate(lines(FOLDER / name / "facts.jsonl.gz")):
        topic, key = str(line["topic"]), str(line["key"])
        try:
            record = from_json(topic, line["value"])
            check(topic, key.encode(), record)
        except InvalidRecord:
            continue
        if topic in MASTER_TYPES:
            incoming = master(topic, record)
            if resolve_revision(masters.get((topic, key)), incoming) == "replaced":
                masters[topic, key] = incoming
        elif topic in FACT_TYPES:
            new = fact(topic, record, Origin(topic, 0, offset, 0))
            at = (topic, new.engagement_id, identity(new))
            facts[at] = winner(facts.get(at), new)
    snapshot = Masters.empty().with_records((topic, key, known) for (topic, key), known in masters.items())
    groups: dict[str, list[Fact]] = {}
    for (_, engagement_id, _), found in facts.items():
        groups.setdefault(engagement_id, []).append(found)
    return {engagement_id: gathered(group) for engagement_id, group in groups.items()}, snapshot
