"""`hourstream people` over the topics: everything that is a person's is found, and what cannot be done is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from devstack.stack import Stack
from privacy.decrypt import Reading
from privacy.encrypt import Encryption
from privacy.vault import Person
from schemas.codec import decode_for
from streaming.admin import admin_client
from streaming.publisher import RecordPublisher
from streaming.topic_reader import read_all
from tests.integration.privacy.conftest import Safe, key_in
from tests.unit.tables.contents import consultant, line
from topics.catalogue import TOPICS, key_of
from topics.create import create_topics

USED = ("master.consultants", "master.code-map", "source.tock.users", "source.tock.timecards", "source.tock.lines")
USER, CARD, NOTE = 900_001, 900_002, "what the line says"
STAMPS = {"created": "2015-01-01T00:00:00Z", "modified": "2015-01-01T00:00:00Z"}
RECORDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("source.tock.users", {"id": USER, "username": "al", "first_name": "Ada", "last_name": "L.", "is_active": True}),
    ("source.tock.timecards", {"id": CARD, "user": USER, "reporting_period": 1, "submitted": True, **STAMPS}),
    ("source.tock.lines", {"id": CARD, "timecard": CARD, "project": 1, "hours_spent": "8", "notes": NOTE, **STAMPS}),
)


def named(consultant_id: str, name: str) -> tuple[str, dict[str, Any]]:
    """Our own record of somebody."""
    topic, value = consultant(consultant_id, None)
    return topic, line((topic, value | {"name": name}))["value"]


def publish(publisher: RecordPublisher, *records: tuple[str, dict[str, Any]]) -> None:
    for topic, value in records:
        publisher.publish(topic, key_of(topic, value), value)
    publisher.finish()


@pytest.fixture
def hourstream(stack: Stack, safe: Safe) -> Callable[..., Result]:
    """A command with the key, or with what `env` says instead."""
    create_topics(admin_client(stack.broker), [TOPICS[name] for name in USED], 1)
    place: dict[str, str] = {
        "HOURSTREAM_BROKER": stack.broker,
        "HOURSTREAM_POSTGRES_URL": str(safe.pool.conninfo),
        "HOURSTREAM_PEOPLE_KEY_FILE": str(safe.key_file),
    }

    def typed(*arguments: str, **env: str) -> Result:
        return CliRunner().invoke(main, arguments, env=place | env)

    return typed


def test_everything_of_a_person_is_found_under_whatever_name(
    stack: Stack, safe: Safe, hourstream: Callable[..., Result]
) -> None:
    vault = safe.open()
    sealing = Encryption(vault)
    _, sealed = sealing.record("source.tock.users", str(USER), RECORDS[0][1])
    assert isinstance(sealed, dict)
    as_intake_makes_it = named(f"user-{USER}", f"{sealed['first_name']} {sealed['last_name']}")
    publish(RecordPublisher(stack.broker, sealing), *RECORDS)
    publish(RecordPublisher(stack.broker), as_intake_makes_it, named("C-in-clear", "Grace H."))

    shown = json.loads(hourstream("people", "show", f"user-{USER}", "--json").stdout)
    assert {(each["system"], each["name"]) for each in shown} == {("tock", str(USER)), ("tock", f"timecard {CARD}")}
    told = hourstream("people", "erase", f"user-{USER}", "--reason", "asked for", "--by", "the office")
    assert (told.exit_code, told.output.count("destroyed: the key of")) == (0, 2), told.output
    values = [decode_for(r.topic, r.value or b"") for r in read_all(stack.broker, ["source.tock.lines"])]
    (notes,) = [Reading(vault).shown(value["notes"]) for value in values if value["id"] == CARD]
    assert notes == "(erased)"

    told = hourstream("people", "erase", "C-in-clear", "--reason", "asked for")
    assert (told.exit_code, "in clear for good: master.consultants" in told.output) == (0, True), told.output
    listed = hourstream("people", "list")
    assert ("the office" in listed.output, "L." in listed.output) == (True, False)


def test_what_cannot_be_done_is_said(hourstream: Callable[..., Result], safe: Safe, tmp_path: Path) -> None:
    safe.open()
    for arguments, env, why in (
        (("people", "list"), {"HOURSTREAM_PEOPLE_KEY_FILE": ""}, "HOURSTREAM_PEOPLE_KEY_FILE is not set"),
        (("people", "list"), {"HOURSTREAM_PEOPLE_KEY_FILE": str(tmp_path / "none")}, "names no file"),
        (("people", "list"), {"HOURSTREAM_PEOPLE_KEY_FILE": str(key_in(tmp_path / "other"))}, "is not the key of this"),
        (("people", "erase", "C-NEVER", "--reason", "x"), {}, "nothing is kept of C-NEVER"),
        (("people", "erase", "person:" + "a" * 26, "--reason", "x"), {}, "nothing is kept of person:"),
    ):
        told = hourstream(*arguments, **env)
        assert (told.exit_code, why in told.output) == (1, True), told.output
        assert told.exception is None or isinstance(told.exception, SystemExit)


def test_the_key_of_keys_is_changed(hourstream: Callable[..., Result], safe: Safe, tmp_path: Path) -> None:
    vault = safe.open()
    vault.keys([Person("harvest", "person", "Ada")])
    told = hourstream("people", "rotate", str(key_in(tmp_path / "next")))
    assert (told.exit_code, "1 keys are wrapped" in told.output) == (0, True), told.output
    assert hourstream("people", "list").exit_code == 1
    listed = hourstream("people", "list", HOURSTREAM_PEOPLE_KEY_FILE=str(tmp_path / "next"))
    assert (listed.exit_code, "Ada" in listed.output) == (0, True), listed.output
