"""What the streaming plane never isolates: faults of its environment end the process; the next start resumes."""

from confluent_kafka import KafkaException

from streaming.committer import Fenced
from streaming.local_state import StoreFailed

_ENVIRONMENT = (KafkaException, Fenced, StoreFailed, OSError, MemoryError, BufferError)


def is_environment(error: BaseException) -> bool:
    """Whether an error, or one it was raised from, is a fault of broker, disk, memory or fencing."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, _ENVIRONMENT):
            return True
        found = found.__cause__
    return False
