"""A file each: document names that never collide, leave their folder or grow too long."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from invoicing.file_names import file_stem

IDS = st.text(min_size=1, max_size=400)


def test_entities_that_differ_in_a_slash_have_a_file_each() -> None:
    assert file_stem("A/B-2025-00001") == "A%2FB-2025-00001"
    assert file_stem("A-B-2025-00001") == "A-B-2025-00001"


def test_long_entities_that_differ_at_the_end_have_a_file_each() -> None:
    stems = {file_stem(f"{'L' * 200}-2025-{n:05d}") for n in range(100)}
    assert len(stems) == 100
    assert {len(stem) for stem in stems} == {120}


@given(IDS, IDS)
def test_two_ids_share_a_name_only_if_they_are_one(a: str, b: str) -> None:
    assert (file_stem(a) == file_stem(b)) == (a == b)


@given(st.one_of(IDS, st.sampled_from(["..", ".", "../../etc/passwd", "/abs", "a\0b", ".hidden", "C:\\x", "é" * 200])))
def test_a_name_stays_in_its_folder(invoice_id: str) -> None:
    stem = file_stem(invoice_id)
    assert (Path("out") / f"{stem}.xml").parent == Path("out")
    assert stem.isascii()
    assert 0 < len(stem) <= 120
    assert not stem.startswith(".")
    assert "/" not in stem
    assert "\\" not in stem
