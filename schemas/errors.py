"""Errors of contracts: a record that its schema refuses, or bytes that are no record of this project."""


class Undecodable(ValueError):
    """Bytes are not a record in the Confluent wire format under a known schema; the message says why not."""


class UnknownSchema(LookupError):
    """No schema is kept under that topic, subject or id: a mistake of the caller, never of the data."""
