"""What a publisher refuses, whoever publishes: nothing of it leaves the process."""

from collections.abc import Mapping

import pytest

from common.errors import InvalidRecord
from operations.decisions import check_text
from streaming.publisher import RecordEncryption, RecordPublisher
from tests.unit.tables.contents import entry, line

NOBODY = "127.0.0.1:1"
GOOD = line(entry("E1", "1"))


class Recorded(RecordPublisher):
    """Keeps what it would send."""

    def __init__(self, sealing: RecordEncryption | None = None) -> None:
        super().__init__(NOBODY, sealing)
        self.sent: list[tuple[str, bytes, bytes]] = []

    def _produce(self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.sent.append((topic, key, value))


class Encrypting:
    """Makes a note longer than its bound, as ciphertext is; it must never see one that is too long in clear."""

    def record(self, topic: str, key: str, value: object) -> tuple[str, object]:
        assert isinstance(value, dict)
        assert len(value["note"]) <= 4_000
        return key, {**value, "note": f"sealed:person:{'a' * 26}:{'B' * 6_000}"}

    def line(self, file: str, content: bytes) -> str:
        return content.decode()


@pytest.mark.parametrize(
    ("key", "change", "why"),
    [
        ("E2", {}, "the key is 'E2': give the value's own, 'E1'"),
        ("\ud800", {}, "the key is no text"),
        ("E1", {"note": "n" * 4_001}, "give at most 4,000 characters"),
        ("E1", {"note": "nu\0l"}, "leave out the character"),
        ("E1", {"minutes": 2**62}, "give a number from -100000 to 100000"),
        ("E1", {"minutes": 1.5}, "minutes must be an int"),
        ("E1", {"status": "perhaps"}, "status must be one of"),
    ],
)
def test_a_record_with_a_fault_is_refused(key: str, change: dict[str, object], why: str) -> None:
    publisher = Recorded()
    with pytest.raises(InvalidRecord, match=why.replace("(", r"\(")):
        publisher.publish(GOOD["topic"], key, {**GOOD["value"], **change})
    assert (publisher.published, publisher.sent) == (0, [])


def test_a_text_is_measured_before_it_is_encrypted() -> None:
    publisher = Recorded(Encrypting())
    with pytest.raises(InvalidRecord, match="give at most 4,000 characters"):
        publisher.publish(GOOD["topic"], "E1", {**GOOD["value"], "note": "n" * 4_001})
    publisher.publish(GOOD["topic"], "E1", {**GOOD["value"], "note": "n" * 4_000})
    assert publisher.published == len(publisher.sent) == 1


def test_a_reason_is_a_text_that_a_record_may_hold() -> None:
    check_text("the reason", "x" * 4_000)
    for bad in ("nu\0l", "x" * 4_001):
        with pytest.raises(InvalidRecord, match="give the reason in at most 4,000 characters"):
            check_text("the reason", bad)
