"""A bucket that outgrew one row: a row a fact, read and written one by one.

Beside them stand, as rows too, who speaks of whom (`ATTACHED`), so that a decision is found without reading all facts,
and sums of what settles in order (tables.settlement.sum_tree).
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from rating.model.facts import Fact
from rating.scope import names
from streaming.state_tables import StateRows, StateTable
from tables.settlement.bucket import (
    BucketRow,
    LargeHead,
    Named,
    Published,
    SmallBucket,
    StoredFact,
    Told,
    attached,
    says_something,
    stored,
    told_of,
)
from topics import state_keys


class Member(msgspec.Struct, array_like=True, frozen=True):
    """A fact, what was last said of it, and its key among what settles in order (None: it is not among them)."""

    fact: StoredFact | None = None
    published: Published | None = None
    key: str | None = None


class MemberFact(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a `Member`, read for whether it has a fact: a minimum is published without one of its own."""

    fact: Named | None


MEMBERS = StateTable(state_keys.MEMBERS, Member)  # (engagement, bucket, name of a fact)
ATTACHED = StateTable(state_keys.ATTACHED, bool)  # (engagement, bucket, subject, name of a fact that speaks of it)
_NONE = Member()
_SPEAKERS = ("decision:", "adjustment:")


class LargeBucket:
    """The bucket while a batch works on it, as a `SmallBucket` is. Only what is asked for is read; `write` keeps it."""

    __slots__ = ("_changed", "_members", "_state", "_told", "all_touched", "engagement_id", "head", "name", "touched")

    def __init__(self, state: StateRows, engagement_id: str, name: str, head: LargeHead) -> None:
        self.engagement_id, self.name, self.head = engagement_id, name, head
        self.touched = set[str]()
        self.all_touched = False
        self._state = state
        self._members: dict[str, Member] = {}
        self._told: dict[str, Told] = {}
        self._changed: dict[str, Member] = {}  # as they were before

    @classmethod
    def of(cls, state: StateRows, engagement_id: str, name: str, row: BucketRow) -> "LargeBucket":
        """What a small bucket's row becomes."""
        bucket = cls(state, engagement_id, name, LargeHead())
        said = dict(row.published)
        facts = {one.name: one for one in row.facts}
        for each in dict.fromkeys((*facts, *said)):
            bucket._set(each, Member(facts.get(each), said.get(each)))
            if each.startswith(_SPEAKERS):
                bucket._attach(each, None, bucket.told(each))
        return bucket

    @property
    def is_whole(self) -> bool:
        return not self._members

    def is_settled(self) -> None:
        self.touched.clear()
        self.all_touched = False

    def forget_sums(self) -> None:
        """Have the sums of what settles in order made anew when it is settled next."""
        self.head = msgspec.structs.replace(self.head, summed=False)

    def told(self, name: str) -> Told | None:
        told = self._told.get(name)
        if told is None and (fact := self.member(name).fact) is not None:
            told = self._told[name] = told_of(fact)
        return told

    def published(self, subject: str) -> Published | None:
        return self.member(subject).published

    def key(self, name: str) -> str | None:
        """The key of a fact among what settles in order."""
        return self.member(name).key

    def all_told(self) -> Iterator[Told]:
        for name in self.subjects():
            told = self.told(name)
            if told is not None:
                yield told

    def subjects(self) -> Iterable[str]:
        for (_, _, name), row in MEMBERS.scan_packed(self._state, self.engagement_id, self.name):
            if name not in self._members:
                self._members[name] = MEMBERS.unpack(row)
        return [name for name, member in self._members.items() if member != _NONE]

    def tell(self, name: str, told: Told) -> None:
        self._attach(name, self.told(name), told)
        self._told[name] = told
        self._replace(name, fact=stored(name, told))

    def publish(self, subject: str, published: Published) -> None:
        self._replace(subject, published=published if says_something(published) else None)

    def order(self, name: str, key: str | None) -> None:
        """Note the key of a fact among what settles in order."""
        if self.key(name) != key:
            self._replace(name, key=key)

    def take(self, name: str) -> tuple[Told | None, Published | None]:
        told, published = self.told(name), self.published(name)
        self._attach(name, told, None)
        self._told.pop(name, None)
        self._replace(name, fact=None, published=None)
        return told, published

    def minutes(self) -> int:
        return self.head.minutes

    def append(self, stored: StoredFact, published: Published) -> None:
        MEMBERS.put(self._state, Member(stored, published), self.engagement_id, self.name, stored.name)
        self._count(members=1, minutes=stored.minutes)

    def speakers(self, subject: str) -> list[Fact]:
        """The facts here that name `subject`."""
        return [told.fact for _, told in self._named(subject)]

    def attached_to(self, subject: str) -> list[str]:
        first = dict(self._named(subject))
        second = {name: told for speaker in first for name, told in self._named(speaker)}
        return attached({name: told.fact for name, told in {**first, **second}.items()}, subject)

    def _named(self, subject: str) -> list[tuple[str, Told]]:
        if not self.head.speakers:
            return []
        rows = list(ATTACHED.scan(self._state, self.engagement_id, self.name, subject))
        found = [(parts[-1], self.told(parts[-1])) for parts, _ in rows]
        return [(name, told) for name, told in found if told is not None]

    def member(self, name: str) -> Member:
        """A fact's row as this batch left it."""
        member = self._members.get(name)
        if member is None:
            member = MEMBERS.get(self._state, self.engagement_id, self.name, name) or _NONE
            self._members[name] = member
        return member

    def write(self) -> BucketRow | None:
        """Put the changed rows into the state; -> the bucket's own row, None when nothing is left of it."""
        for name, before in self._changed.items():
            member = self._members[name]
            parts = self.engagement_id, self.name, name
            if member == _NONE:
                MEMBERS.delete(self._state, *parts)
            else:
                MEMBERS.put(self._state, member, *parts)
            self._count((member != _NONE) - (before != _NONE), _minutes(member) - _minutes(before))
        self._changed.clear()
        return BucketRow([], [], self.head) if self.head.members else None

    def _count(self, members: int = 0, minutes: int = 0, speakers: int = 0) -> None:
        head = self.head
        self.head = msgspec.structs.replace(
            head,
            members=head.members + members,
            minutes=head.minutes + minutes,
            speakers=head.speakers + speakers,
        )

    def _replace(self, name: str, **changed: object) -> None:
        self._set(name, msgspec.structs.replace(self.member(name), **changed))

    def _set(self, name: str, member: Member) -> None:
        self._changed.setdefault(name, self._members.get(name, _NONE))
        self._members[name] = member

    def _attach(self, name: str, before: Told | None, after: Told | None) -> None:
        old, new = (None if told is None else names(told.fact) for told in (before, after))
        if old != new:
            if old is not None:
                ATTACHED.delete(self._state, self.engagement_id, self.name, old, name)
                self._count(speakers=-1)
                self.touched.add(old)
            if new is not None:
                ATTACHED.put(self._state, True, self.engagement_id, self.name, new, name)
                self._count(speakers=1)
                self.touched.add(new)


Bucket: TypeAlias = SmallBucket | LargeBucket


def _minutes(member: Member) -> int:
    return 0 if member.fact is None else member.fact.minutes
