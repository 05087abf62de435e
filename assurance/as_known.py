"""The ledger as it was known at a moment, from the topics alone: the facts and masters that had arrived, settled anew.

A record was known when the broker had appended it. What was published then is not asked, so that the answer does not
depend on how far any worker had come.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from assurance.ledger_reader import Books
from streaming.topic_reader import read_all
from topics.catalogue import MASTERS, SETTLE_INPUTS

FOREVER = datetime.max.replace(tzinfo=UTC)


def moment(text: str) -> datetime:
    """The instant that a text names; a day is its last millisecond, an instant without a zone is in UTC.

    Raises ValueError.
    """
    try:
        day = date.fromisoformat(text) if len(text) == len("YYYY-MM-DD") else None
        if day is not None:
            return datetime.combine(day, time.max, UTC).replace(microsecond=999_000)
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text} is no instant: write 2024-03-31T18:00:00Z, or a day such as 2024-03-31") from None


def books_as_known(
    broker: str, moments: Sequence[datetime], progress: Callable[[int], None] = lambda _: None
) -> list[Books]:
    """Facts and masters as known at each of the moments, read in one go. `progress` is called each thousandth record.

    `Books.expected` of each is the ledger of that moment; nothing published is in it.
    """
    known = [(_milliseconds(at), Books()) for at in moments]
    for count, record in enumerate(read_all(broker, (*MASTERS, *SETTLE_INPUTS)), 1):
        for last, books in known:
            if record.timestamp_ms <= last:
                books.take(record)
        if count % 1000 == 0:
            progress(count)
    return [books for _, books in known]


def _milliseconds(at: datetime) -> int:
    """The last whole millisecond at or before an instant: exactly, as no float is."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
