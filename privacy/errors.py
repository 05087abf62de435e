"""Errors of the vault, in words for the operator."""


class PeopleError(RuntimeError):
    """The vault cannot be used as it is; the text names the remedy."""
