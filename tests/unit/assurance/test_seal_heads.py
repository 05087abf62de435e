"""Heads of seals: as text and back, signed, and which of several copies counts."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assurance.seal_heads import FileCopy, Head, Heads, NoHeads, kept, parse

KEY = b"a key"
CHAINS = {("billing.ready", 0): Head(9, 7, b"\x01" * 32), ("hourstream.acts", 0): Head(3, 3, b"\x02" * 32)}
HEADS = Heads(4, datetime(2026, 3, 1, tzinfo=UTC), CHAINS, ("2026-03-01T00:00:00Z ann: moved",)).signed(KEY)


@dataclass
class Memory:
    """A copy that a test fills."""

    name: str
    text: str | None = None

    def read(self) -> str | None:
        """What was put."""
        return self.text

    def write(self, text: str) -> None:
        """Put it."""
        self.text = text


def test_heads_are_read_as_they_are_written() -> None:
    assert parse(HEADS.text) == HEADS
    assert parse(HEADS.text).fits(KEY)
    assert not parse(HEADS.text).fits(b"")
    assert HEADS.text.splitlines()[1] == f"billing.ready 0 end 9 records 7 hash {'01' * 32}"


@pytest.mark.parametrize(
    ("was", "now"),
    [("end 9", "end 8"), ("records 7", "records 9"), ("0101", "0102"), ("number 4", "number 5"), ("ann", "bob")],
)
def test_any_changed_text_does_not_fit_the_key(was: str, now: str) -> None:
    assert not parse(HEADS.text.replace(was, now, 1)).fits(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "garbage",
        HEADS.text.replace("hash ", "hash z"),
        HEADS.body,
        HEADS.text.replace("2026-03-01T00", "2026-13-01T00", 1),
    ],
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(NoHeads):
        parse(text)


def test_the_newest_heads_that_the_key_signed_count() -> None:
    older = replace(HEADS, number=3).signed(KEY)
    forged = replace(HEADS, number=9).signed(b"a guess")
    copies = [Memory("file", older.text), Memory("table", HEADS.text), Memory("forged", forged.text), Memory("empty")]
    found = kept(copies, KEY)
    assert found.heads == HEADS
    assert found.others == ("forged was altered, or its heads were made with another key",)
    assert found.stale == ("file holds heads of before", "empty holds no heads")
    assert kept([Memory("one", HEADS.text), Memory("two", HEADS.text)], KEY).complete
    assert kept([Memory("one")], KEY).heads is None


def test_a_file_of_heads_is_its_owners_alone(tmp_path: Path) -> None:
    copy = FileCopy(tmp_path / "seals" / "heads")
    assert copy.read() is None
    for heads in (replace(HEADS, number=3).signed(KEY), HEADS):
        copy.write(heads.text)
    assert copy.read() == HEADS.text
    assert copy.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in copy.path.parent.iterdir()] == ["heads"]
