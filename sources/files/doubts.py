"""What is odd in a file whose rows can be read: hours beyond a day, entries of no time, rows without a project."""

from collections import defaultdict
from collections.abc import Iterator

from sources.files.parse import Taken
from sources.mapping.ast import MAPPED
from topics.topic_names import TIME_ENTRIES

_DAY = 1440  # minutes
_SHOWN = 5
# Words of headers that say whether a row is billed: a column of one is worth a look where the mapping does not read it.
_TELLING = ("approv", "invoic", "billed", "billable", "break", "delet", "round", "lock", "status")
_MONEY = ("rate", "amount", "cost")


def doubts(taken: Taken) -> Iterator[str]:
    """A line for a person on each oddity, with its lines in the file. Time beyond a day is parked when settled."""
    lines = {f"{row.entity}:{row.id}": row.line for row in taken.records}
    entries = {made.source_record: made.record for made in taken.made if made.topic == TIME_ENTRIES}
    by_day: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    zero, negative = list[int](), list[int]()
    for source_record, entry in entries.items():
        minutes, line = int(entry["minutes"]), lines.get(source_record, 0)
        by_day[str(entry["consultant_id"]), str(entry["work_date"])].append((line, minutes))
        if minutes == 0:
            zero.append(line)
        if minutes < 0:
            negative.append(line)
    for (person, day), found in by_day.items():
        total = sum(minutes for _, minutes in found)
        if total > _DAY:
            yield f"{person} has {total:,} minutes on {day}, more than a day: {_at([line for line, _ in found])}"
    if zero:
        yield f"{len(zero):,} entries have no minutes: {_at(zero)}"
    if negative:
        yield f"{len(negative):,} entries have less than no minutes: {_at(negative)}"
    without = [bad.line for bad in taken.bad if bad.said.get("project") == ""]
    if without:
        yield f"{len(without):,} rows have no project: {_at(without)}"
    for header in taken.unmapped:
        words = header.casefold()
        if any(word in words for word in _TELLING) and not any(word in words for word in _MONEY):
            yield f"the column {header!r} is not read, though it may say what is billed"
    if TIME_ENTRIES in {made.topic for made in taken.made}:
        yield from (f"{state.replace('_', ' ')}: {why}" for state, why in taken.says.items() if why != MAPPED)


def _at(lines: list[int]) -> str:
    shown = ", ".join(map(str, sorted(lines)[:_SHOWN]))
    more = f" and {len(lines) - _SHOWN:,} more" if len(lines) > _SHOWN else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"
