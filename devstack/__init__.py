"""The embedded stack: real Kafka and PostgreSQL on loopback, for a machine that has neither."""
