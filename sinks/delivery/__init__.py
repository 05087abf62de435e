"""Charges delivered to systems outside: a queue in PostgreSQL, and what empties it into a target."""
