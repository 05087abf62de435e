"""Errors of the embedded stack."""

from __future__ import annotations


class StackError(RuntimeError):
    """An embedded server cannot be started, or already runs; the text names the remedy."""


class TryAgain(StackError):
    """A start failed for a reason that passes: the port was taken meanwhile, or the server before is still ending."""
