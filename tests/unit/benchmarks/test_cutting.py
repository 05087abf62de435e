"""The short way of the enrichment job says what the rule says, byte for byte."""

from pathlib import Path

import pytest

from benchmarks.contenders.hourstream_job import Joined, decider
from benchmarks.enrichment.contract import decode_entry, encode_billed
from benchmarks.enrichment.cutting import cut, whole
from benchmarks.enrichment.generate import Generator, write_masters
from benchmarks.enrichment.masters import Masters
from benchmarks.enrichment.rule import enrich
from schemas.binary import long
from streaming.batch import Batch, Output, Record
from streaming.state import MemoryRows, State


def test_entries_are_billed_as_the_rule_says(tmp_path: Path) -> None:
    write_masters(tmp_path / "masters", 7)
    masters = Masters.read(tmp_path / "masters")
    backlog = Generator(7).backlog(2_000)
    records = [Record("in", 0, n, n, key, value, ()) for n, (key, value) in enumerate(backlog.records)]
    outputs = decider(Joined.of(masters), "out")(Batch(0, 0, {}, {}, records), State(MemoryRows()))
    wanted = {
        value: Output("out", key, encode_billed(enrich(masters, decode_entry(value)))) for key, value in backlog.records
    }
    assert outputs == list(wanted.values())
    assert len(outputs) == backlog.expected.unique


@pytest.mark.parametrize("number", [0, 1, -1, 63, 64, -64, 8191, 8192, 10**9])
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    assert whole(long(number)) == number


def test_what_is_no_whole_entry_is_refused() -> None:
    _, value = Generator(7).backlog(1).records[0]
    for broken in (b"", b"\x01" + value[1:], value[:-1], value + b"\x00"):
        with pytest.raises((ValueError, IndexError)):
            cut(broken)
