"""Rows of CSV and JSON files, each with its line and its exact bytes. Every part of a file is accounted for.

A line that cannot be a row (broken quotes, bytes that are no text, too many columns) is a `BadRow`, and reading
continues with the next line.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sources.mapping.ast import Layout

_DELIMITERS = (",", ";", "\t", "|")
_SEP = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)  # the line that tells Excel the delimiter
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)", re.DOTALL)
_LONGEST_ROW = 200  # lines that one quoted text may run over, before its quote counts as forgotten


class UnreadableFile(ValueError):
    """A file that cannot be read at all, with the remedy."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file: its first line (from 1), its bytes, and its values by header or path; none if it is blank."""

    line: int
    raw: bytes
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """An unusable row, with the reason; `said` has its values for the fields of a topic, if known."""

    line: int
    raw: bytes
    why: str
    topic: str = ""
    said: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileTable:
    """A file: its headers, and its rows in order."""

    headers: tuple[str, ...]
    rows: list[Row | BadRow]


def read_table(data: bytes, layout: Layout) -> FileTable:
    """The rows of a file. Raises UnreadableFile where it is none of the layout's format."""
    return _read_json(data, layout.records) if layout.format == "json" else _read_csv(data, layout)


def _read_csv(data: bytes, layout: Layout) -> FileTable:
    lines, encoding = _lines(data, layout.encoding)
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise UnreadableFile("the file is empty")
    delimiter = layout.delimiter
    if hint := _SEP.fullmatch(lines[first].strip("\r\n ")):
        delimiter, first = hint[1], first + 1
        if not any(line.strip() for line in lines[first:]):
            raise UnreadableFile("the file has a sep= line and nothing below it")
    delimiter = delimiter or _delimiter_of(next(line for line in lines[first:] if line.strip()))
    parsed = _parsed(lines, first, delimiter, encoding)
    head = next(parsed)
    if isinstance(head, BadRow):
        raise UnreadableFile(f"line {head.line}, where the headers should be: {head.why}")
    headers = tuple(cell.strip() for cell in head[2])
    rows = [_row(found, headers) for found in parsed]
    return FileTable(headers, rows[layout.skip :])


def _lines(data: bytes, encoding: str) -> tuple[list[str], str]:
    """The lines with their ends, and what turns them into their bytes again. A byte order mark is no text."""
    if data.startswith(codecs.BOM_UTF8):
        data, encoding = data[len(codecs.BOM_UTF8) :], "utf-8"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text, encoding = data.decode("utf-16"), "utf-16-le" if data.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
        except UnicodeDecodeError as broken:
            raise UnreadableFile(f"begins as UTF-16 text, which it is not: {broken.reason}") from None
    else:
        text = data.decode(encoding, "surrogateescape")
    return list(io.StringIO(text, newline="")), encoding


def _delimiter_of(line: str) -> str:
    return max(_DELIMITERS, key=lambda delimiter: len(next(csv.reader([line], delimiter=delimiter))))


Cells = tuple[int, bytes, list[str]]


def _parsed(lines: list[str], start: int, delimiter: str, encoding: str) -> Iterator[Cells | BadRow]:
    """(line, bytes, cells) of each row from a line on; empty lines are none."""
    at = start
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        taken = iter(range(at, min(at + _LONGEST_ROW, len(lines))))
        try:
            cells = next(csv.reader((lines[number] for number in taken), delimiter=delimiter, strict=True))
            end = next(taken, min(at + _LONGEST_ROW, len(lines)))
        except csv.Error as broken:
            # Only this line: the quote that is wrong must not take the rows after it along.
            yield BadRow(at + 1, _bytes(lines[at], encoding), f"its quotes are broken ({broken}); correct this line")
            at += 1
            continue
        raw = _bytes("".join(lines[at:end]), encoding)
        if any("\udc80" <= letter <= "\udcff" for cell in cells for letter in cell):
            yield BadRow(at + 1, raw, f"is not {encoding} text; save the file as UTF-8, or correct `encoding`")
        else:
            yield at + 1, raw, cells
        at = end


def _bytes(text: str, encoding: str) -> bytes:
    return text.rstrip("\r\n").encode(encoding, "surrogateescape")


def _row(found: Cells | BadRow, headers: tuple[str, ...]) -> Row | BadRow:
    if isinstance(found, BadRow):
        return found
    line, raw, cells = found
    if not any(cell.strip() for cell in cells):
        return Row(line, raw, {})
    while len(cells) > len(headers) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(headers):
        return BadRow(line, raw, f"has {len(cells)} columns where the headers are {len(headers)}; correct this line")
    return Row(line, raw, dict(zip(headers, cells, strict=True)))


def _read_json(data: bytes, path: tuple[str, ...]) -> FileTable:
    rows: list[Row | BadRow] = []
    headers: dict[str, None] = {}
    line, reached, sound = 1, 0, _without_half_letters(data)
    for found in _records(sound.removeprefix(codecs.BOM_UTF8), path):
        place = sound.index(found, reached)
        line += data.count(b"\n", reached, place)
        reached, raw = place, data[place : place + len(found)]
        value = json.loads(found, parse_float=str)
        if isinstance(value, dict):
            values = dict(_flat(value, ""))
            headers.update(dict.fromkeys(values))
            rows.append(Row(line, raw, values))
        else:
            rows.append(BadRow(line, raw, "is no JSON object"))
    return FileTable(tuple(headers), rows)


def _without_half_letters(data: bytes) -> bytes:
    """The same JSON, as long, with U+FFFD for each half of a surrogate pair without its other half: a text cut off."""

    def whole(escape: re.Match[bytes]) -> bytes:
        return b"\\ufffd" if escape["half"] else escape[0]

    return _ESCAPES.sub(whole, data)


def _records(data: bytes, path: tuple[str, ...]) -> list[bytes]:
    """The bytes of each record that a path leads to: of one object, or of a list of them."""
    try:
        for step in path:
            fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
            if step not in fields:
                raise UnreadableFile(f"has no `{step}` where records should be (at `{'.'.join(path)}`)")
            data = bytes(fields[step])
        if data.lstrip()[:1] == b"{":
            return [data]
        return [bytes(raw) for raw in msgspec.json.decode(data, type=list[msgspec.Raw])]
    except msgspec.DecodeError as broken:
        raise UnreadableFile(f"is no JSON with records at `{'.'.join(path) or 'its top'}`: {broken}") from None


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for name, content in value.items():
        if isinstance(content, dict):
            yield from _flat(content, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", content
