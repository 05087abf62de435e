"""An HTTP status says what to do with the charges of a call."""

import pytest

from common.errors import SinkError
from sinks.delivery.target import GroupRefused, TargetMisconfigured, TargetUnavailable, TargetUnclear
from sinks.http.client import Reply, unexpected
from sinks.http.statuses import kind_of_status


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (408, TargetUnavailable), (425, TargetUnavailable), (429, TargetUnavailable), (500, TargetUnavailable),
        (502, TargetUnavailable), (503, TargetUnavailable), (504, TargetUnavailable), (599, TargetUnavailable),
        (401, TargetMisconfigured), (403, TargetMisconfigured), (404, TargetMisconfigured),
        (301, TargetMisconfigured), (405, TargetMisconfigured),
        (400, GroupRefused), (409, GroupRefused), (413, GroupRefused), (422, GroupRefused),
        (418, TargetUnclear), (204, TargetUnclear), (499, TargetUnclear),
    ],
)  # fmt: skip
def test_each_status_is_one_kind(status: int, error: type[SinkError]) -> None:
    found = unexpected("POST", "https://example.com/a", Reply(status, b"no such client", None))
    assert type(found) is error
    assert str(status) in str(found)


def test_every_status_has_a_kind() -> None:
    assert {kind_of_status(status) for status in range(100, 1000)} == {
        "transient", "configuration", "content", "unknown",
    }  # fmt: skip


def test_a_refusal_gives_the_words_of_the_target() -> None:
    assert "no such client" in str(unexpected("POST", "https://example.com/a", Reply(422, b"no such client", None)))
