"""TODO common.errors."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the target answers, and in words why not."""

    ok: bool
    detail: str


class SinkError(Exception):
    """What a sink reports; nothing of the batch was written."""


class Fenced(SinkError):
    """The position is not where the batch starts: another process has taken the partition. Read positions() again."""


class Unreachable(SinkError):
    """The target did not answer, or not in time. The batch may be offered again as it is."""


class Misconfigured(SinkError):
    """The target answers that it is set up wrongly, or asked wrongly; only a person can mend that."""


class InvalidRecord(ValueError):
    """A record does not fit its schema or its topic; the message names the topic and the field path."""
