"""One comparison of a workbook with the topics, and what follows from it: publish, propose, approve."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assurance.ledger_reader import Books
from operations.firm.change_sets import ChangeSet, ChangeSetError, base_name, decide, propose, refuse_approval
from operations.firm.changes import Changes, changes_of, content
from operations.firm.check import Checked, check_firm
from operations.firm.effect import Effect, effect_of
from operations.firm.known import KnownRecord
from operations.firm.publish import FirmPublisher, Ready, ready
from privacy.decrypt import reading
from privacy.encrypt import sealing
from privacy.vault import Vault
from sources.workbook.layout import SHEET_TOPICS
from storage.postgres import Pool, transaction
from topics.catalogue import MASTERS


@dataclass(frozen=True, slots=True)
class Compared:
    """A workbook against the topics: its check, and the changes; none where the check has errors."""

    checked: Checked
    changes: Changes


@dataclass(frozen=True, slots=True)
class By:
    """Who publishes, when and why."""

    by: str
    at: datetime
    reason: str
    file: str

    @property
    def headers(self) -> dict[str, str]:
        """As every record carries it."""
        return {"by": self.by, "reason": self.reason, "file.name": self.file}


class FirmSession:
    """A workbook's way onto the topics; made once a command. It ends publications of other commands on their way."""

    def __init__(self, broker: str, pool: Pool, vault: Vault | None) -> None:
        self._broker, self._pool, self._vault = broker, pool, vault
        self._publisher = FirmPublisher(broker)

    def compare(self, path: Path, topics: Iterable[str], *, open_references: bool = False) -> Compared:
        """Check a workbook against the `topics` of its records, and find its changes. Raises Unreadable."""
        known = self._publisher.known(topics, reading(self._vault))
        checked = check_firm(path, known, open_references=open_references)
        return Compared(checked, Changes() if checked.problems else changes_of(checked.records, known))

    def effect(self, changes: Changes, at: datetime) -> Effect:
        """What the changes would credit, bill again and bill."""
        return effect_of(Books.read(self._broker), self._pool, changes.every, at)

    def publish(self, changes: Changes, who: By) -> int:
        """Publish the changes; how many records that are. Raises PublicationRefused, InvalidRecord, KafkaException."""
        records = ready(changes.every, who.at, sealing(self._vault))
        if records:
            self._publisher.publish(records, who.headers)
        return len(records)

    def propose(self, changes: Changes, effect: Effect, who: By) -> ChangeSet:
        """Keep the changes for the approval of another person."""
        return propose(
            self._pool,
            changes.every,
            ready(changes.every, who.at, sealing(self._vault)),
            file=who.file,
            summary=changes.summary,
            effect=effect.as_json(),
            reason=who.reason,
            by=who.by,
            at=who.at,
        )

    def approve(self, change_set: ChangeSet, who: By) -> int:
        """Publish a change set as another person proposed it; how many records were published now.

        Refused where one of its records has changed since. A change set that an approval published before it was
        killed is noted only. Raises ChangeSetError, PublicationRefused, KafkaException.
        """
        refuse_approval(change_set, who.by)
        records = change_set.ready
        with transaction(self._pool) as cursor:
            decide(cursor, change_set.change_set_id, "published", by=who.by, at=who.at, reason=who.reason or None)
            left = self._left(change_set, records)
            if left:
                headers = {"by": change_set.proposed_by, "approved.by": who.by, "reason": change_set.reason}
                self._publisher.publish(left, {**headers, "change.set": change_set.change_set_id})
        return len(left)

    def _left(self, change_set: ChangeSet, records: Sequence[Ready]) -> Sequence[Ready]:
        """All records of a change set, or none where all of them are on the topics. Raises ChangeSetError."""
        known = self._publisher.known({each.topic for each in records}, None).records
        there = [known.get(each.identity) for each in records]
        if all(_is(found, each) for found, each in zip(there, records, strict=True)):
            return []
        for found, each in zip(there, records, strict=True):
            if (found.revision if found else 0) != change_set.base[base_name(each.identity)]:
                what = " ".join(part for part in each.identity if part)
                raise ChangeSetError(f"{what} has changed since this was proposed: propose the workbook again")
        return records


def _is(found: KnownRecord | None, each: Ready) -> bool:
    """Whether a record is on its topic already."""
    if found is None or found.revision != each.value["revision"]:
        return False
    return content(found.value) == content(each.value)


def needing_approval(changes: Changes, setting: str) -> list[str]:
    """The topics among the changes whose masters a second person approves. Raises ValueError for an unknown name."""
    named = [name.strip() for name in setting.split(",") if name.strip()]
    full = [name if name in SHEET_TOPICS else f"master.{name}" for name in named]
    if unknown := [name for name, topic in zip(named, full, strict=True) if topic not in MASTERS]:
        raise ValueError(f"HOURSTREAM_APPROVAL_TOPICS: {unknown[0]!r} is no topic of masters, such as rate-cards")
    return sorted({each.record.topic for each in changes.every} & set(full))
