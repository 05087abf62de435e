"""The status of Kafka and PostgreSQL within a few seconds, for `hourstream status`."""

from typing import Any

import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec

from streaming.kafka_security import connection

_SECONDS = 3
_PREFIX = "hourstream-"  # of our consumer groups


def kafka_status(broker: str) -> dict[str, Any]:
    """{"groups": {group: {"state", "lag" in records or None}}}, or {"error"} where Kafka does not answer.

    Lag is to the committed end, by the offsets a group notes for displays; the truth of a worker is its own state.
    """
    admin = AdminClient({**connection(broker), "log_level": 0})
    try:
        listed = admin.list_consumer_groups(request_timeout=_SECONDS).result(_SECONDS + 1)
        groups = {g.group_id: g.state.name.lower() for g in listed.valid if g.group_id.startswith(_PREFIX)}
        return {"groups": {name: {"state": groups[name], "lag": _lag(admin, name)} for name in sorted(groups)}}
    except (KafkaException, TimeoutError) as error:
        return {"error": str(error.args[0]) if error.args else f"no answer within {_SECONDS} s"}


def _lag(admin: AdminClient, group: str) -> int | None:
    asked = [ConsumerGroupTopicPartitions(group)]
    (future,) = admin.list_consumer_group_offsets(asked, request_timeout=_SECONDS).values()
    noted = {(tp.topic, tp.partition): tp for tp in future.result(_SECONDS + 1).topic_partitions if tp.offset >= 0}
    if not noted:
        return None
    wanted = dict.fromkeys(noted.values(), OffsetSpec.latest())
    ends = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_SECONDS)
    ended = {(tp.topic, tp.partition): each.result(_SECONDS + 1).offset for tp, each in ends.items()}
    lag: int = sum(max(end - noted[where].offset, 0) for where, end in ended.items())
    return lag


def postgres_status(url: str) -> dict[str, Any]:
    """{"answers", "version", "connections", "recovering"}, or the error; never the address, which has a password."""
    try:
        with psycopg.connect(url, connect_timeout=_SECONDS) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), pg_is_in_recovery(),"
                " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())"
            ).fetchone()
    except psycopg.Error as error:
        return {"answers": False, "error": str(error).strip().splitlines()[0] if str(error) else type(error).__name__}
    version, recovering, connections = row or (None, None, None)
    return {"answers": row is not None, "version": version, "recovering": recovering, "connections": connections}
