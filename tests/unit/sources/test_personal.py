"""A mapping that would not work on sealed personal data is refused, in words that say what to do."""

from pathlib import Path

import pytest

from sources.mapping import catalogue
from sources.mapping.errors import MappingError
from sources.mapping.loader import read_mapping
from sources.revision_order import winner
from sources.state import SourceOrigin, SourceRecordState

KIMAI = (Path(catalogue.__file__).parents[1] / "kimai.yaml").read_text("utf-8")
TOKEN = "person:" + "a" * 26
SEALED, ERASED = f"sealed:{TOKEN}:YWJj", f"erased:{TOKEN}"


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ("{$code: $user, kind: consultant}", '{$code: "${user} (${date})", kind: consultant}', "must be that person"),
        (
            "minutes: {$minutes: $duration",
            "minutes: {$minutes: $description",
            "`description` is erased with its person",
        ),
        ("entry_id: kimai-${id}", "entry_id: {$match: $user, pattern: '(.+)'}", "`user` is erased"),
    ],
)
def test_what_cannot_be_made_of_a_sealed_field_is_refused(right: str, wrong: str, why: str) -> None:
    assert right in KIMAI
    with pytest.raises(MappingError, match=why.replace("(", r"\(")):
        read_mapping("kimai.yaml", KIMAI.replace(right, wrong))


@pytest.mark.parametrize("source", catalogue.names())
def test_every_built_in_mapping_works_on_sealed_fields(source: str) -> None:
    assert catalogue.load(source).system == source


def standing(note: str, hours: str, offset: int, revision: int | None = None) -> SourceRecordState:
    return SourceRecordState({"notes": note, "hours": hours}, revision, SourceOrigin("source.a.b", 0, offset, 0))


def test_a_row_that_comes_again_erased_is_the_row_that_stands() -> None:
    before = standing(SEALED, "1", 0)
    assert winner(before, standing(ERASED, "1", 1)) == before
    assert winner(before, standing(ERASED, "2", 1)) == standing(SEALED, "2", 1)
    assert winner(standing(SEALED, "1", 0, 3), standing(ERASED, "1", 1, 3)).conflict is None
