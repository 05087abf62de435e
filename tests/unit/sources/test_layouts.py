"""What is wrong with the `file` and `webhook` of a mapping is said with its line and what to do."""

import pytest

from sources.files.parse import take
from sources.mapping import catalogue
from sources.mapping.errors import MappingError, NotRecognised
from sources.mapping.loader import read_mapping

MAPPING = """system: kimai
entities:
  entries:
    topic: source.kimai.entries
    file:
      columns: {date: Date, begin: From, end: To, duration: Duration, user: User, customer: C, project: P, activity: A}
      key: [user, date, begin]
    publish: []
"""
WEBHOOK = """    webhook:
      records: entry
      signature: {header: X-Signature}
"""


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("key: [user, date, begin]", "key: [user, dat]", r"line 5: source.kimai.entries has no field `dat` \(did you"),
        ("key: [user, date, begin]", "repeats: same", "line 5: give entries either a column for `id` or a `key`"),
        ("key: [user, date, begin]", "key: [user, tags]", "line 5: `tags` is no column of the file; add it"),
        (
            "key: [user, date, begin]",
            "key: user\n      repeats: twice",
            "line 8: repeats is 'twice'; write one of separate",
        ),
        ("key: [user, date, begin]", "key: user\n      join: [date]", "line 5: `join` needs `repeats: same`"),
        ("key: [user, date, begin]", "key: user\n      skip: -1", "line 8: skip must be a whole number, 0 or more"),
        (
            "key: [user, date, begin]",
            "key: user\n      encoding: utf8x",
            "line 8: encoding is 'utf8x'; write one such as",
        ),
        (
            "key: [user, date, begin]",
            "key: user\n      formt: csv",
            r"line 8: file has no `formt` \(did you mean `format`",
        ),
        ("duration: Duration, ", "", "line 5: source.kimai.entries needs the field `duration`; add its column"),
        ("    publish: []\n", WEBHOOK, "line 8: entries needs a `file` of format json"),
        ("    topic: ", "    id: $date\n    topic: ", "line 3: entries has a `key`, so its id is `\\$id`; remove `id`"),
    ],
)
def test_mistakes(wrong: str, right: str, told: str) -> None:
    assert wrong in MAPPING
    with pytest.raises(MappingError, match=told):
        read_mapping("kimai.yaml", MAPPING.replace(wrong, right))


def test_a_webhook_without_time_or_revision_could_be_replayed() -> None:
    text = MAPPING.replace("      columns:", "      format: json\n      columns:").replace("    publish: []\n", WEBHOOK)
    with pytest.raises(MappingError, match="an old message sent again would count as news"):
        read_mapping("kimai.yaml", text)
    signed = text.replace("records: entry", "records: entry\n      timestamp: X-Time")
    with pytest.raises(
        MappingError, match="publishes nothing and nothing looks there"
    ):  # nothing wrong with the webhook
        read_mapping("kimai.yaml", signed)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ('{$day: $date, zone: Europe/Bonn}', "zone is 'Europe/Bonn'; write a name of the time zone database"),
        ('{$match: $date, pattern: "[A-Z"}', "is no regular expression"),
        ('{$match: $date, pattern: "[A-Z]"}', "must have one group"),
        ('{$instant: $date, ambiguous: never}', "ambiguous is 'never'; write one of earlier, later"),
        ("{$between: $begin}", "lacks `and`; add it"),
        ("{$translate: $date, to: {A: 1}}", "must be"),
    ],
)  # fmt: skip
def test_mistakes_in_values(field: str, told: str) -> None:
    publish = f"    publish:\n      - topic: master.calendars\n        fields: {{calendar_id: {field}}}\n"
    with pytest.raises(MappingError, match=told):
        read_mapping("kimai.yaml", MAPPING.replace("    publish: []\n", publish))


def test_a_source_that_is_not_there_and_a_file_that_is_nobodys() -> None:
    with pytest.raises(MappingError, match=r"no such source \(did you mean `harvest`\?\)"):
        catalogue.load("harvst")
    with pytest.raises(NotRecognised, match=r"harvest does not know this file. entries: the file lacks 'Date' \(did"):
        take(catalogue.load("harvest"), "x.csv", b"Datum,Client,Project,Task,Hours,Billable?,First Name,Last Name\n")
    with pytest.raises(NotRecognised, match="nothing of it comes in files"):
        take(catalogue.load("tock"), "x.csv", b"a,b\n")
