"""The embedded stack: real Kafka and PostgreSQL on loopback, for a machine which has neither."""
