"""A question to a moving broker is asked again while its error passes, and not for ever."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from streaming.retrying import retrying


class Broker:
    """Answers with an error so many times."""

    def __init__(self, times: int, code: int) -> None:
        self.left, self.code = times, code

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise KafkaException(KafkaError(self.code))
        return "answer"


@pytest.mark.parametrize(
    "code",
    [KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH, KafkaError.NOT_LEADER_FOR_PARTITION,
     KafkaError.LEADER_NOT_AVAILABLE, KafkaError.OFFSET_NOT_AVAILABLE, KafkaError._TRANSPORT, KafkaError._TIMED_OUT],
)  # fmt: skip
def test_an_error_that_passes_is_asked_again(code: int) -> None:
    assert retrying(Broker(3, code)) == "answer"


def test_an_error_that_stays_is_raised_at_once() -> None:
    broker = Broker(1, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaException):
        retrying(broker)
    assert broker.left == 0


def test_an_error_that_should_pass_and_does_not_is_raised_in_the_end() -> None:
    with pytest.raises(KafkaException, match="UNKNOWN_LEADER_EPOCH"):
        retrying(Broker(10_000, KafkaError.UNKNOWN_LEADER_EPOCH), seconds=0.3)
