"""Rows of files: every byte of a file is in a row or a bad row, whatever is broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.files.tables import BadRow, FileTable, Row, UnreadableFile, read_table
from sources.mapping.ast import Layout
from sources.similarity import certain, suggestions


def layout(**other: object) -> Layout:
    given_: dict[str, object] = {
        "format": "csv", "encoding": "utf-8", "delimiter": None, "skip": 0, "columns": {}, "key": (),
        "repeats": "separate", "joined": (), "records": (), "line": 1,
    }  # fmt: skip
    return Layout(**{**given_, **other})  # type: ignore[arg-type]


def lines(table: FileTable) -> list[tuple[int, str]]:
    """(line, what) of each row: the values of a good one, why of a bad one."""
    return [
        (row.line, row.why if isinstance(row, BadRow) else "|".join(map(str, row.values.values())))
        for row in table.rows
    ]


def test_a_quote_that_never_ends_costs_its_own_line_only() -> None:
    table = read_table(b'a,b\n1,"x\n2,y\n3,"z\nz"\n', layout())
    assert [line for line, _ in lines(table)] == [2, 3, 4]
    assert [isinstance(row, BadRow) for row in table.rows] == [True, False, False]
    assert table.rows[2].raw == b'3,"z\nz"'


@pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t"])
def test_marks_line_ends_and_delimiters(bom: bytes, end: bytes, delimiter: bytes) -> None:
    data = bom + end.join((b"", b"a" + delimiter + b" b ", b"", "ü".encode() + delimiter + b"2", b""))
    table = read_table(data, layout())
    assert (table.headers, lines(table)) == (("a", "b"), [(4, "ü|2")])


def test_other_encodings() -> None:
    text = "a;b\nüß;€\n"
    assert lines(read_table(text.encode("cp1252"), layout(encoding="windows-1252"))) == [(2, "üß|€")]
    assert lines(read_table(text.encode("utf-16"), layout())) == [(2, "üß|€")]
    (bad,) = read_table(text.encode("cp1252"), layout()).rows
    assert (bad.raw, "is not utf-8 text" in getattr(bad, "why", "")) == ("üß;€".encode("cp1252"), True)


def test_columns_too_few_or_too_many() -> None:
    assert lines(read_table(b"a,b\n1\n1,2,3\n1,2\n", layout())) == [
        (2, "has 1 columns where the headers are 2; correct this line"),
        (3, "has 3 columns where the headers are 2; correct this line"),
        (4, "1|2"),
    ]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_a_file_of_nothing(data: bytes) -> None:
    with pytest.raises(UnreadableFile, match="empty"):
        read_table(data, layout())


def test_json_records_have_their_line_and_their_bytes() -> None:
    data = b'{"x": {"list": [\n {"a": {"b": 1.50}, "c": null},\n 7,\n {"a": {"b": 2}}]}}'
    table = read_table(data, layout(format="json", records=("x", "list")))
    assert lines(table) == [(2, "1.50|None"), (3, "is no JSON object"), (4, "2")]
    assert table.rows[0].raw == b'{"a": {"b": 1.50}, "c": null}'
    for broken in (b"{", b"[]", b'{"x": 1}', b'{"x": {"list": 5}}'):
        with pytest.raises(UnreadableFile):
            read_table(broken, layout(format="json", records=("x", "list")))


@given(st.binary(max_size=200).map(lambda data: b"a,b\n" + data))
def test_no_byte_of_any_file_is_lost(data: bytes) -> None:
    """But for line ends and empty lines, the rows put together are the file."""
    rows: list[Row | BadRow] = read_table(data, layout(delimiter=",")).rows
    kept = b"".join(row.raw for row in rows)
    assert bare(kept) == bare(data.partition(b"\n")[2])


def bare(data: bytes) -> bytes:
    """Without what may stand in a line that is empty."""
    return bytes(byte for byte in data if byte not in b" \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f")


def test_names_are_alike_whatever_the_order_of_their_words() -> None:
    people = {"C-1": ["Lovelace, Ada"], "C-2": ["Grace Hopper"], "C-3": ["Grace Harper"], "C-4": [""]}
    assert [(each.canonical_id, each.score) for each in suggestions("Ada Lovelace", people)] == [("C-1", 100.0)]
    assert [each.canonical_id for each in suggestions("grace.hopper@example.com", people)] == ["C-2", "C-3"]
    assert suggestions("Konrad Zuse", people) == []


def test_only_one_that_is_well_ahead_may_be_accepted_unseen() -> None:
    people = {"C-1": ["Anna Schmidt"], "C-2": ["Anna Schmitt"]}
    assert certain(suggestions("Anna Schmit", people)) is None
    assert certain(suggestions("Schmidt, Anna", people)) is not None
    assert certain(suggestions("Schmidt, Anna", {**people, "C-3": ["Schmidt Anna"]})) is None
    assert certain([]) is None
