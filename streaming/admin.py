"""The client for a broker's administration: topics, offsets, groups."""

from confluent_kafka.admin import AdminClient

from streaming.kafka_security import connection

QUIET = {"log_level": 4}  # of the client's own log warnings and worse: every client that ends tells of it as of news


def admin_client(broker: str) -> AdminClient:
    """One client; it connects when it is first asked for something."""
    return AdminClient({**connection(broker), **QUIET})
