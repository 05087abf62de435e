"""Advisory exceptions: work of one person that cannot all be true (DOMAIN.md §2 rule 16).

They look at one consultant over all engagements, park nothing, and resolve by themselves.
"""

from collections.abc import Iterable
from datetime import date, datetime

from rating.checks import MINUTES_OF_A_DAY, fault_of_time
from rating.model.charge import Parked
from rating.model.facts import TimeEntry

OVERLAPPING_TIME, PERSON_DAY_OVER_24H = "OVERLAPPING_TIME", "PERSON_DAY_OVER_24H"
PREFIXES = ("overlap:", "person-day:", "duplicate:")  # of their subjects
Advisory = tuple[str, str, str]  # engagement_id, subject, code


def is_advisory(subject: str) -> bool:
    """Whether a subject is that of an advisory exception, which takes no decision."""
    return subject.startswith(PREFIXES)


def overlap_subject(entry_id: str) -> str:
    """Of an entry that overlaps another one; in the entry's engagement."""
    return f"overlap:{entry_id}"


def person_day_subject(consultant_id: str, day: date) -> str:
    """Of a day of a person; of no engagement."""
    return f"person-day:{consultant_id}:{day.isoformat()}"


def duplicate_subject(entry_id: str) -> str:
    """Of an entry that another source may have sent before; in the entry's engagement. Also the id of its hold."""
    return f"duplicate:{entry_id}"


def counts(entry: TimeEntry) -> bool:
    """Whether advisories look at an entry: approved and not INVALID."""
    return entry.status == "approved" and fault_of_time(entry) is None


def interval(entry: TimeEntry) -> tuple[datetime, datetime] | None:
    """When the work began and ended (half-open); None where that says nothing."""
    if entry.started_at is None or entry.ended_at is None or entry.ended_at <= entry.started_at:
        return None
    return entry.started_at, entry.ended_at


def exceeds_day(minutes: int) -> bool:
    """Whether a person's recorded minutes of a day are more than the day has."""
    return minutes > MINUTES_OF_A_DAY


def overlapping_time(entry_id: str, consultant_id: str, began: datetime, ended: datetime, revision: int) -> Parked:
    """The warning of an entry that overlaps another one."""
    message = (
        f"{entry_id} ({_minute(began)} to {_minute(ended)}) overlaps another approved entry of {consultant_id}; "
        "correct one of them"
    )
    return warning(OVERLAPPING_TIME, message, revision)


def person_day_over_24h(consultant_id: str, day: date, minutes: int) -> Parked:
    """The warning of a person's day of more than 1440 recorded minutes."""
    message = f"{consultant_id} has {minutes:,} approved minutes on {day}, over all engagements; a day has 1,440"
    return warning(PERSON_DAY_OVER_24H, message, 1)


def advisories(entries: Iterable[TimeEntry]) -> set[Advisory]:
    """The open advisories of some entries, each in its winning revision."""
    by_person: dict[str, list[tuple[datetime, datetime, TimeEntry]]] = {}
    days: dict[tuple[str, date], int] = {}
    for entry in filter(counts, entries):
        day = entry.consultant_id, entry.work_date
        days[day] = days.get(day, 0) + entry.minutes
        if (worked := interval(entry)) is not None:
            by_person.setdefault(entry.consultant_id, []).append((*worked, entry))
    found = {
        ("", person_day_subject(*day), PERSON_DAY_OVER_24H) for day, minutes in days.items() if exceeds_day(minutes)
    }
    for worked_by in by_person.values():
        found |= {(e.engagement_id, overlap_subject(e.entry_id), OVERLAPPING_TIME) for e in _overlapping(worked_by)}
    return found


def _overlapping(worked: list[tuple[datetime, datetime, TimeEntry]]) -> Iterable[TimeEntry]:
    """Entries of a person that overlap another one; the latest end so far is enough to compare with."""
    latest: tuple[datetime, TimeEntry] | None = None
    for began, ended, entry in sorted(worked, key=lambda each: each[:2]):
        if latest is not None and began < latest[0]:
            yield from (latest[1], entry)
        if latest is None or ended > latest[0]:
            latest = ended, entry


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def warning(code: str, message: str, revision: int) -> Parked:
    """An exception that holds nothing of the ledger back."""
    return Parked(
        code=code,
        message=message,
        missing=None,
        amount_at_stake=None,
        minutes=0,  # nothing is on hold
        waived=False,
        owner="",  # of a person's work over all engagements, no engagement's owner answers alone
        region="",
        revision=revision,
        severity="warning",
    )
