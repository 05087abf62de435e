"""What can be wrong with the vault, in words for whoever runs it."""


class PeopleError(RuntimeError):
    """The vault cannot be used as it is; the text says what to do."""
