"""Delivers charges to systems outside: a queue in PostgreSQL, and a worker that empties it into a target."""
