"""Epoch milliseconds as UTC instants, and instants as text."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(ms: int) -> datetime:
    """Epoch milliseconds as a UTC instant, exact in every year: a float has no milliseconds left in the year 9999."""
    return _EPOCH + timedelta(milliseconds=ms)


def instant_text(at: datetime) -> str:
    """An instant in the JSON form of records: ISO 8601, UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
