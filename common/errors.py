"""Errors of sinks and records that several packages share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the target answers, and the reason if not."""

    ok: bool
    detail: str


class SinkError(Exception):
    """An error of a sink; nothing of the batch was written."""


class SinkFenced(SinkError):
    """The position is not where the batch starts: another process has taken the partition. Read positions() again."""


class Unreachable(SinkError):
    """The target did not answer, or not in time. The batch may be offered again as it is."""


class Misconfigured(SinkError):
    """The target reports a wrong set-up or a wrong request; only a person can repair that."""


class InvalidRecord(ValueError):
    """A record does not fit its schema or its topic; the message names the topic and the field path."""
