"""Questions to a broker that may be moving: asked again for a while, in one place for all that only read.

A topic just made, a leader that changes or a broker that comes back answers some questions with an error that means
"ask again". A worker that is at work ends instead, and starts again.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.1
_PASSING = {
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.ELIGIBLE_LEADERS_NOT_AVAILABLE,
    KafkaError.PREFERRED_LEADER_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.INVALID_FETCH_SESSION_EPOCH,
    KafkaError.STALE_BROKER_EPOCH,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._TRANSPORT,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._WAIT_CACHE,
    KafkaError._WAIT_COORD,
}

Answer = TypeVar("Answer")


def is_passing(error: KafkaError) -> bool:
    """Whether the same question may be answered in a moment."""
    return error.code() in _PASSING or bool(error.retriable())


def retrying(ask: Callable[[], Answer], seconds: float = PATIENCE_SECONDS) -> Answer:
    """The answer, asked for again while the error is one that passes. Raises KafkaException after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except KafkaException as error:
            if not is_passing(error.args[0]) or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
