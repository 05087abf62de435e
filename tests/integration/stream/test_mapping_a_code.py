"""A code is mapped by a person, with the real intake worker of a mapping that has codes."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from confluent_kafka.admin import AdminClient

from cli.main import main
from devstack.stack import Stack
from operations.all_topics import every_topic
from operations.jsonl_ingest import Publisher
from schemas.codec import decode_for
from settings import CHECKOUT, Settings
from streaming.topic_reader import read_all
from tests.unit.agents.test_intake_codes import CODED, KEY, LINE
from tests.unit.tables.stream import Line
from topics.create import create_topics

WORKER = "import sys; from pathlib import Path; from agents import intake; intake.MAPPING = Path(sys.argv[1]); \
from cli.main import main; main(['worker', 'intake'])"


class Intake:
    """The worker, and what a test does with it."""

    def __init__(self, settings: Settings, process: subprocess.Popen[bytes]) -> None:
        self.settings, self.process = settings, process

    def takes(self, line: Line) -> None:
        publisher = Publisher(self.settings.bootstrap)
        publisher.publish(line["topic"], line["key"], line["value"])
        publisher.finish()

    def hourstream(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env=self.settings.environment())

    def has_said(self, topic: str, number: int, *fields: str) -> list[tuple[object, ...]]:
        """These fields of the records of a topic, once there are so many."""
        deadline = time.monotonic() + 60
        while True:
            records = [decode_for(topic, record.value or b"") for record in read_all(self.settings.bootstrap, [topic])]
            if len(records) >= number:
                return [tuple(record[field] for field in fields) for record in records]
            assert self.process.poll() is None, "the worker has ended"
            assert time.monotonic() < deadline, f"{topic} has {len(records)} of {number} records"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    home = tmp_path_factory.mktemp("intake")
    mapping = home / "tempo.yaml"
    mapping.write_text(CODED)
    with Stack.start(Settings.load(home=home, partitions=1)) as stack:
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(1), 1)
        command = [sys.executable, "-c", WORKER, str(mapping)]
        process = subprocess.Popen(command, env=stack.settings.environment(), cwd=CHECKOUT)
        try:
            yield Intake(stack.settings, process)
        finally:
            process.terminate()
            process.wait(30)


def test_a_mapping_that_cannot_be_is_refused(intake: Intake) -> None:
    wrong = intake.hourstream("exceptions", "map", "tempo", "project", "2", "E1", "--reason", "a try")
    assert (wrong.exit_code, "kind" in wrong.output, "engagement" in wrong.output) == (2, True, True)
    empty = intake.hourstream("exceptions", "map", "tempo", "engagement", "2", "", "--reason", "a try")
    assert (empty.exit_code, "must not be empty" in empty.output) == (2, True)
    assert list(read_all(intake.settings.bootstrap, ["master.code-map"])) == []


def test_a_person_maps_a_code_and_what_waited_is_mapped(intake: Intake) -> None:
    intake.takes(LINE)
    ((status, missing),) = intake.has_said("billing.exceptions", 1, "status", "missing")
    assert (status, missing["id"]) == ("open", KEY.decode())

    why = ("--by", "ada", "--reason", "named in the contract")
    told = intake.hourstream("exceptions", "map", "tempo", "engagement", "2", "E1", *why)
    assert (told.exit_code, "revision 1; open exceptions that wait for it: 1" in told.output) == (0, True), told.output
    intake.has_said("billing.exceptions", 2, "status")
    told = intake.hourstream("exceptions", "map", "tempo", "task", "2", "T1", *why)
    assert told.exit_code == 0, told.output
    assert intake.has_said("time.entries", 1, "engagement_id", "task_id", "status") == [("E1", "T1", "approved")]
    statuses = [status for (status,) in intake.has_said("billing.exceptions", 3, "status")]
    assert statuses == ["open", "open", "resolved"]

    again = intake.hourstream("exceptions", "map", "tempo", "engagement", "2", "E1", *why)
    assert (again.exit_code, "is E1 already, in revision 1" in again.output) == (0, True)
    intake.hourstream("exceptions", "map", "tempo", "engagement", "2", "E2", *why)
    assert intake.has_said("time.entries", 3, "engagement_id", "status") == [
        ("E1", "approved"),
        ("E1", "withdrawn"),
        ("E2", "approved"),
    ]
    decisions = [record for record in read_all(intake.settings.bootstrap, ["master.code-map"]) if record.key == KEY]
    assert [dict(record.headers) for record in decisions] == [{"by": b"ada", "reason": b"named in the contract"}] * 2
    values = [decode_for("master.code-map", record.value or b"") for record in decisions]
    assert [(value["revision"], value["source"]) for value in values] == [(1, "command-line"), (2, "command-line")]
