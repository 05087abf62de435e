"""Epoch milliseconds as UTC instants, and instants as text."""

from datetime import UTC, datetime


def instant(ms: int) -> datetime:
    """Epoch milliseconds as a UTC instant."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def instant_text(at: datetime) -> str:
    """An instant in the JSON form of records: ISO 8601, UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
