"""A trace leads back to the line of the file that a source record came from."""

from streaming.batch import Record
from warehouse.topic_trace import from_file


def test_the_line_of_the_file_is_named() -> None:
    headers = (("file.name", b"t\xc3\xa4glich.csv"), ("file.sha256", b"0"), ("file.line", b"17"), ("file.row", b"a,b"))
    came = Record("source.harvest.entries", 0, 1, 0, b"1", b"", headers)
    assert from_file(came) == " (line 17 of täglich.csv)"
    assert from_file(Record("source.tock.lines", 0, 1, 0, b"1", b"", ())) == ""
