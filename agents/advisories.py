"""advisories: warns of overlapping time and of days over 24 hours, by person over all engagements (DOMAIN §2 rule 16),
and holds time that two sources sent.

Three steps over topics in between: entries by engagement -> `time.by-consultant` -> time by person -> `time.overlaps`
-> overlaps by engagement. One process takes all three, in one transaction a partition number.
"""

from collections.abc import Mapping
from typing import Any, cast

from rating.model.facts import TimeEntry, fact
from settings import Settings
from streaming.batch import Batch, Output
from streaming.dead_letters import read
from streaming.process import Batches, BatchProcess
from streaming.state import State
from streaming.stateful_process import stateful_process
from tables.advisories.duplicates import HOLDS, Duplicates
from tables.advisories.entries import BY_CONSULTANT, Entries
from tables.advisories.persons import OVERLAPS, PersonEntries
from tables.advisories.warnings import Warnings
from tables.windows import Tally
from topics import topic_names
from topics.catalogue import ADVISORY_INPUTS

NAME = "advisories"
GATHER_SECONDS = 0.25  # a warning waits for no charge: fewer and larger transactions


def process(settings: Settings) -> BatchProcess:
    """The advisories process: one committer a partition."""
    advisories = stateful_process(NAME, ADVISORY_INPUTS, settings, lambda: process_batch, batch_seconds=GATHER_SECONDS)

    @advisories.app.agent(advisories.topic)
    async def warn(batches: Batches) -> None:
        async for batch in batches:
            await advisories.run(batch)

    return advisories


def process_batch(batch: Batch, state: State) -> list[Output]:
    """A batch's copies, findings and warnings. An entry that cannot be read is settle's dead letter."""
    passed_over, outputs, tally, warnings = list[Output](), list[Output](), Tally(), Warnings(state)
    said: dict[str, list[Mapping[str, Any]]] = {topic: [] for topic in ADVISORY_INPUTS}
    for record in batch.records:
        faults = passed_over if record.topic in (topic_names.TIME_ENTRIES, HOLDS) else outputs
        said[record.topic] += (value for _, value in read([record], NAME, faults))
    tally.count("dead", batch.timestamp_ms, len(outputs))
    entries, persons = Entries(state), PersonEntries(state)
    facts = [cast(TimeEntry, fact(topic_names.TIME_ENTRIES, value)) for value in said[topic_names.TIME_ENTRIES]]
    entries.load(facts)
    duplicates = Duplicates(state)
    duplicates.load(facts)
    for entry in facts:
        outputs += entries.take(entry)
        duplicates.take(entry)
    for hold in said[HOLDS]:
        duplicates.decide(hold)
    persons.load(said[BY_CONSULTANT])
    for copy in said[BY_CONSULTANT]:
        persons.take(copy)
    for finding in said[OVERLAPS]:
        entries.apply_finding(finding)
    outputs += persons.findings()
    entries.review(warnings)
    persons.review(warnings)
    outputs += duplicates.review(warnings, batch.timestamp_ms)
    outputs += warnings.publish(batch.timestamp_ms, tally)
    tally.count_each("received", (record.timestamp_ms for record in batch.records))
    tally.count("passed_over", batch.timestamp_ms, len(passed_over))
    tally.write(state)
    return outputs
