"""A mapping file that is wrong says where, and what to do."""

from pathlib import Path

import pytest

from sources.mapping.errors import MappingError
from sources.mapping.loader import load_mapping, read_mapping
from tests.unit.sources.intake import TOCK, TRACKER, TrackerContracts

GOOD = TOCK.read_text()
CODED = "engagement_id: {$code: $project, kind: engagement}"


def refused(text: str) -> MappingError:
    with pytest.raises(MappingError) as raised:
        read_mapping("tracker.yaml", text, TrackerContracts())
    assert str(raised.value).startswith(f"tracker.yaml, line {raised.value.line}: ")
    return raised.value


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_files_here_are_right() -> None:
    assert load_mapping(TOCK).topics[0] == "source.tock.agencies"
    tracker = read_mapping("tracker.yaml", TRACKER, TrackerContracts())
    assert tracker.topics == ("source.tracker.people", "source.tracker.worklogs", "master.code-map")
    assert "master.code-map" not in load_mapping(TOCK).topics  # its keys are its own


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("system: tracker", "system: The Tracker", "small letters"),
        (
            "    revision: {$instant",
            "    revison: {$instant",
            "entity worklogs has no `revison` (did you mean `revision`?)",
        ),
        (
            "topic: source.tracker.people",
            "topic: source.tracker.all",
            "no contract declares the topic 'source.tracker.all'",
        ),
        ("{entity: people}", "{entity: peple}", "did you mean `people`?"),
        ("{entity: people}", "{entity: people, missing: sometimes}", "write waits, or an exception code"),
        ("{entity: people}", "{entity: people, optional: perhaps}", "optional must be true or false"),
        ("topic: time.entries", "topic: time.sheets", "no contract declares the topic 'time.sheets'"),
        ("topic: time.entries", "topic: source.tock.lines", "is no canonical topic"),
        ("entry_id: $key", "entry_id: $keys", "$keys: worklogs has no field or look-up `keys` (did you mean `key`?)"),
        ("$author.email", "$author.mail", "people has no field or look-up `mail` (did you mean `email`?)"),
        ("{$code: $author.email, kind: consultant}", "$author", "worklogs.author is never used"),
        ("consultant_id: {", "consultant: {", "time.entries has no field `consultant`"),
        ("          note: $note", "          source: tracker", "intake fills `source` itself"),
        (CODED, "engagement_id: 5", "time.entries.engagement_id must be text, not 5"),
        (CODED, "engagement_id: $seconds", "must be text, not a whole number"),
        (CODED, "engagement_id: ${project", "neither a path"),
        (CODED, "engagement_id: [$project]", "a path or text is needed"),
        ("billable: true", "billable: yes", "billable must be true or false, not 'yes'"),
        ("billable: true", "billable: 1.5", 'write decimals in quotes, "1.5"'),
        ("OPEN: submitted", "OPEN: open", "must be one of submitted, approved, rejected, withdrawn"),
        ("{$day: $started}", "2015-02-30", "must be a date YYYY-MM-DD, not '2015-02-30'"),
        ("{$day: $started}", "{$date: $started}", "there is no $date; the operators are"),
        ("{$day: $started}", "$split.date", "worklogs has no field or look-up `split`"),
        ("unit: seconds", "unit: days", "write one of hours, minutes, seconds"),
        ("          billable: true\n", "", "time.entries needs the field `billable`"),
        ("          billable: true", "          entry_id: x", "fields has `entry_id` twice"),
        ("entry_id: $key", "entry_id: &a $key\n          approved_by: *a", "aliases are not in use"),
        ("    id: $key", "    id: $person.code", "worklogs has no field or look-up `person`"),
        (
            "author: {entity",
            "split: {entity: people, id: $key}\n      author: {entity",
            "`split` is a word of the language",
        ),
        ("note: $note", "note: {$each: notes, order_by: $key, fields: {}}", "a path or text is needed"),
        (
            "kind: consultant",
            "kind: consultent",
            "kind is 'consultent' (did you mean `consultant`?); it must be one of",
        ),
        (", kind: engagement", "", "$code lacks `kind`"),
        ("{$code: $project,", "{$code: [$project],", "$code must be a path to the code, or text around paths"),
        ("{$code: $project,", "{$code: $projekt,", "worklogs has no field or look-up `projekt`"),
        ("$author.email", "$auther.email", "worklogs has no field or look-up `auther` (did you mean `author`?)"),
        ("${project}/${issue}", "${project}/${author.email}", "a code is made of the fields of one"),
        ("    id: $key", "    id: {$code: $key, kind: task}", "a code is mapped in the fields of `publish` only"),
        ("{entity: people}", "{entity: people, id: {$code: $author, kind: task}}", "in the fields of `publish` only"),
        ("topic: source.tracker.people", "topic: master.code-map", "is read where $code is used; remove this entity"),
        ("  people:", "  code:\n    topic: source.tock.users\n  people:", "`code` is what $code looks up"),
        ("billable: true", "billable: {$code: $issue, kind: task}", "billable must be true or false, not text"),
        ("system: tracker", "system: tracker\nversion: 2", "a mapping has no `version`"),
        ("system: tracker", "system: [", "not YAML"),
        ("system: tracker", "system: 'a\0b'", "not YAML"),
    ],
)
def test_a_broken_mapping_names_line_and_remedy(right: str, wrong: str, said: str) -> None:
    assert TRACKER.count(right) >= 1
    assert said in str(refused(TRACKER.replace(right, wrong, 1)))


@pytest.mark.parametrize(
    ("right", "wrong", "at"),
    [
        ("entry_id: $key", "entry_id: $keys", "entry_id: $keys"),
        ("billable: true", "billible: true", "billible: true"),
        ("unit: seconds", "unit: days", "unit: days"),
        ("{entity: people}", "{entity: peple}", "author: {entity"),
        ("kind: task}", "kind: tasks}", "kind: tasks}"),
        ("    publish:", "    publishes:", "publishes:"),
        ("          billable: true\n", "", "- topic: time.entries"),
    ],
)
def test_the_line_is_the_one_to_correct(right: str, wrong: str, at: str) -> None:
    text = TRACKER.replace(right, wrong, 1)
    assert refused(text).line == line_of(text, at)


@pytest.mark.parametrize("text", ["", "# nothing\n", "just text", "- a\n- list\n", "system: tracker\nentities: {}\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    refused(text)


def test_an_entity_that_serves_nothing_is_refused() -> None:
    text = GOOD.replace("  grades:\n    topic", "  idle:\n    topic: source.tock.userdata\n\n  grades:\n    topic", 1)
    assert "idle publishes nothing and nothing looks there" in str(refused(text))


def test_a_topic_is_one_entitys() -> None:
    text = GOOD.replace("  grades:\n    topic", "  again:\n    topic: source.tock.lines\n\n  grades:\n    topic", 1)
    assert "another entity's already" in str(refused(text))


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("$each: grades", "$each: grade", "users has no collection 'grade'"),
        ("order_by: $g_start_date", "order_by: $start_date", "grades has no field or look-up `start_date`"),
        ("order_by: $g_start_date", "order_by: grade", "order_by must be a path"),
        ("labor_category: GS-${grade}", "category: GS-${grade}", "master.consultants.grades has no field `category`"),
        ("by: $employee", "by: $user", "grades has no field or look-up `user`"),
        ("mode: nearest", "mode: closest", "must be one of up, nearest, down"),
        ("increment_minutes: 1,", "", "master.engagements.rounding needs the field `increment_minutes`"),
        ('discount_percent: "0"', "discount_percent: 0", "must be a decimal in quotes"),
        ('discount_percent: "0"', 'discount_percent: "1e3"', "must be a decimal in quotes"),
        ('discount_percent: "0"', 'discount_percent: "0.1234567"', "must be a decimal in quotes"),
        ("starts_on: 2014-10-01", "starts_on: 20141001", "must be a date YYYY-MM-DD"),
        ("starts_on: 2014-10-01", "starts_on: '20141001'", "must be a date YYYY-MM-DD"),
        ("occurred_at: 2014-10-01T00:00:00Z", "occurred_at: 2014-10-01T00:00:00+01:00", "must be an instant"),
    ],
)
def test_nested_records_are_checked_too(right: str, wrong: str, said: str) -> None:
    assert said in str(refused(GOOD.replace(right, wrong, 1)))


def test_country_codes_and_dates_stay_text() -> None:
    text = GOOD.replace("country: US", "country: NO", 1)
    assert read_mapping("tock.yaml", text).system == "tock"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"absent\.yaml, line 1: cannot be read"):
        load_mapping(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes("system: zürich".encode("latin-1"))
    with pytest.raises(MappingError, match=r"latin\.yaml, line 1: is not UTF-8"):
        load_mapping(tmp_path / "latin.yaml")
