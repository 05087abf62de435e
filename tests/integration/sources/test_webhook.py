"""Jira's webhook over HTTP with the real broker: what is signed is published once, everything else is refused."""

import hashlib
import hmac
import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sources.running import SAMPLES, Installation

SECRET, OLD = b"a secret of some length", b"the one before it, going"
BODY = (SAMPLES / "jira" / "samples" / "webhook.json").read_bytes()


@pytest.fixture(scope="module")
def port(here: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    secrets = tmp_path_factory.mktemp("secrets") / "jira"
    secrets.write_bytes(SECRET + b"\n" + OLD + b"\n")
    process = here.started("receive", "--source", "jira", "--secret-file", str(secrets), "--max-kib", "4")
    try:
        yield listening(process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def listening(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("listening on http://127.0.0.1:"):
            return int(line.rsplit(":", 1)[1].split("/")[0])
    raise AssertionError("it never listened")


def signed(body: bytes, secret: bytes = SECRET) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def posted(port: int, body: bytes, signature: str | None, path: str = "/jira") -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {} if signature is None else {"X-Hub-Signature": signature}
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    value = json.loads(answer.read())
    connection.close()
    return answer.status, value


def test_a_signed_message_is_published_once(here: Installation, port: int) -> None:
    assert posted(port, BODY, signed(BODY)) == (200, {"records": 1, "bad": 0, "repeated": False})
    assert posted(port, BODY, signed(BODY)) == (200, {"records": 0, "bad": 0, "repeated": True})
    (worklog,) = (each for each in here.values("source.jira.worklogs") if each["id"] == "20001")
    assert (worklog["id"], worklog["seconds"], worklog["issue"]) == ("20001", 14400, "10101")
    (record,) = (each for each in here.records("source.jira.worklogs") if each.key == b"20001")
    assert json.loads(dict(record.headers)["file.row"]) == json.loads(BODY)["worklog"]


def test_a_deletion_withdraws_its_record_and_publishes_none(here: Installation, port: int) -> None:
    message = json.loads(BODY) | {"webhookEvent": "worklog_deleted"}
    message["worklog"] |= {"id": "20007", "timeSpentSeconds": None}  # only the id of a deletion counts
    body = json.dumps(message).encode()
    assert posted(port, body, signed(body)) == (200, {"records": 1, "bad": 0, "repeated": False})
    (review,) = (each for each in here.values("source.reviews") if each["record_id"] == "20007")
    assert (review["system"], review["entity"], review["verdict"]) == ("jira", "worklogs", "withdraw")
    assert b"20007" not in {each.key for each in here.records("source.jira.worklogs")}
    del message["worklog"]["id"]
    body = json.dumps(message).encode()
    assert posted(port, body, signed(body)) == (200, {"records": 0, "bad": 1, "repeated": False})


def test_a_secret_that_is_being_replaced_still_counts(port: int) -> None:
    body = BODY.replace(b'"20001"', b'"20009"')
    assert posted(port, body, signed(body, OLD))[0] == 200


UNSIGNED = (
    None,
    "",
    "sha256=",
    "sha256=é",
    signed(BODY)[:-1] + "x",
    signed(BODY).removeprefix("sha256="),
    signed(BODY, b"another secret of it"),
    signed(BODY + b" "),
)


@pytest.mark.parametrize("signature", UNSIGNED)
def test_what_is_not_signed_is_refused(here: Installation, port: int, signature: str | None) -> None:
    before = len(here.records("source.jira.worklogs"))
    shown = None if signature is None else signature.encode().decode("latin-1")
    assert posted(port, BODY, shown) == (401, {"error": "not signed, or not of now"})
    assert len(here.records("source.jira.worklogs")) == before


def test_a_message_too_big_or_elsewhere_is_refused(port: int) -> None:
    big = b" " * 5000
    assert posted(port, big, signed(big))[0] == 413
    assert posted(port, BODY, signed(BODY), "/toggl")[0] == 404


def test_a_signed_message_of_another_kind_is_a_dead_letter(here: Installation, port: int) -> None:
    body = b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "1"}}'
    assert posted(port, body, signed(body)) == (200, {"records": 0, "bad": 1, "repeated": False})
    (letter,) = (letter for letter in here.values("dead.letters") if letter["value"] == body)
    assert letter["topic"].startswith("webhook-")
    assert "has no `worklog`" in letter["error"]


def test_a_source_without_webhook_cannot_be_received(here: Installation, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    told = here.hourstream("receive", "--source", "toggl", "--secret-file", str(secret))
    assert (told.exit_code, "toggl has no webhook" in told.output) == (1, True)
    secret.write_bytes(b"short")
    told = here.hourstream("receive", "--source", "jira", "--secret-file", str(secret))
    assert (told.exit_code, "16 bytes or more" in told.output) == (1, True)
