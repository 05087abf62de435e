"""The benchmark's load and the job it is given: what the generator expects is what the job makes of it."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.enrichment.contract import decode_billed, decode_entry, encode_billed, encode_entry
from benchmarks.enrichment.generate import Backlog, Generator, rate_rows, write_masters
from benchmarks.enrichment.masters import Masters
from benchmarks.enrichment.rule import Unpriced, cents, enrich
from benchmarks.harness.verify import Output, Wrong, check

SEED = 11


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> Masters:
    path = tmp_path_factory.mktemp("masters") / "masters.csv"
    write_masters(path, SEED)
    return Masters.read(path)


def billed(masters: Masters, backlog: Backlog) -> list[bytes]:
    """Every record of a backlog through the job, repeats and all."""
    return [encode_billed(enrich(masters, decode_entry(value))) for _, value in backlog.records]


def read(value: bytes) -> Output:
    record = decode_billed(value)
    return Output(record["entry_id"], record["amount"])


def once_each(values: list[bytes]) -> list[bytes]:
    return list({read(value).id: value for value in values}.values())


def test_the_job_comes_to_the_sum_that_the_generator_expects(masters: Masters) -> None:
    backlog = Generator(SEED).backlog(3_000)
    told = check(once_each(billed(masters, backlog)), read, backlog.expected, once=True)
    assert told.startswith(f"{backlog.expected.unique} records")


def test_the_next_backlog_repeats_earlier_ones_and_expects_only_what_is_new(masters: Masters) -> None:
    generator = Generator(SEED)
    first, second = generator.backlog(1_000), generator.backlog(1_000)
    earlier = {value for _, value in first.records}
    assert any(value in earlier for _, value in second.records)
    both = once_each(billed(masters, first) + billed(masters, second))
    check(both, read, first.expected + second.expected, once=True)


def test_about_a_twentieth_is_repeated() -> None:
    expected = Generator(SEED).backlog(20_000).expected
    assert 0.04 < 1 - expected.unique / expected.records < 0.06


def test_one_seed_gives_one_load() -> None:
    assert Generator(SEED).backlog(500).records == Generator(SEED).backlog(500).records
    assert Generator(SEED).backlog(500).records != Generator(SEED + 1).backlog(500).records


def test_both_kinds_of_rate_price_entries(masters: Masters) -> None:
    kinds = Counter(decode_billed(value)["priced_by"] for value in billed(masters, Generator(SEED).backlog(2_000)))
    assert set(kinds) == {"project", "labor_category"}


def test_there_are_2000_projects_and_20000_rates(masters: Masters) -> None:
    assert len(masters.projects) == 2_000
    assert len(rate_rows(SEED)) == 20_000


@pytest.mark.parametrize(
    ("units", "minutes", "expected"),
    [(1_000_000, 60, 10_000), (1_000_000, 1, 167), (3_000, 1, 1), (2_999, 1, 0), (9_000, 1, 2), (8_999, 1, 1)],
)
def test_amounts_are_rounded_half_away_from_zero(units: int, minutes: int, expected: int) -> None:
    assert cents(units, minutes) == expected


def test_an_entry_of_an_unknown_project_is_not_priced(masters: Masters) -> None:
    entry = decode_entry(Generator(SEED).backlog(1).records[0][1])
    with pytest.raises(Unpriced, match="no project P-none"):
        enrich(masters, {**entry, "project_id": "P-none"})


def test_bytes_of_another_schema_or_cut_off_are_no_entry() -> None:
    value = encode_entry(decode_entry(Generator(SEED).backlog(1).records[0][1]))
    with pytest.raises(ValueError, match="schema"):
        decode_entry(b"\x01" + value[1:])
    with pytest.raises((ValueError, IndexError)):
        decode_entry(value[:-1])


def test_a_lost_a_doubled_and_a_wrong_record_are_found(masters: Masters) -> None:
    backlog = Generator(SEED).backlog(300)
    right = once_each(billed(masters, backlog))
    with pytest.raises(Wrong, match="distinct ids"):
        check(right[1:], read, backlog.expected, once=True)
    with pytest.raises(Wrong, match="records, not"):
        check([*right, right[0]], read, backlog.expected, once=True)
    first = decode_billed(right[0])
    dearer = encode_billed({**first, "amount": first["amount"] + Decimal("0.01")})
    with pytest.raises(Wrong, match="amounts come to"):
        check([dearer, *right[1:]], read, backlog.expected, once=True)
    with pytest.raises(Wrong, match="came with"):
        check([*right, dearer], read, backlog.expected, once=True)


def test_a_job_without_state_gives_a_record_for_every_record(masters: Masters) -> None:
    backlog = Generator(SEED).backlog(300)
    every = billed(masters, backlog)
    check(every, read, backlog.expected, once=False)
    with pytest.raises(Wrong, match="records, not"):
        check(once_each(every), read, backlog.expected, once=False)


def test_settle_charges_the_same_amounts(tmp_path: Path) -> None:
    """The settle contender's masters and entries, through the settle agent's own decision."""
    from agents import settle
    from benchmarks.settle.load import encoded, masters
    from rating.model.masters import lookups_touched, master
    from schemas.codec import decode_for, encode
    from schemas.json_codec import from_json
    from streaming.batch import Batch, Record
    from streaming.state import MemoryRows, State
    from tables.settlement.masters_snapshot import TOPIC, MastersTable

    table = MastersTable("unused")
    current = []
    for at, (topic, id_, value) in enumerate(masters(SEED)):
        wire = encode(topic, from_json(topic, value))
        assert lookups_touched(topic, None, master(topic, decode_for(topic, wire)))
        current.append(Record(TOPIC, 0, at, at, f"{topic}:{id_}".encode(), wire, ()))
    table.apply(current, len(current))
    backlog = Generator(SEED, encoded).backlog(400)
    records = [Record("time.entries", 0, n, n, key, value, ()) for n, (key, value) in enumerate(backlog.records)]
    outputs = settle.process_batch(table.snapshot, settle.Memory(), Batch(0, 0, {}, {}, records), State(MemoryRows()))
    ready = [output.value or b"" for output in outputs if output.topic == "billing.ready"]
    assert len(ready) == len(outputs)

    def charge(value: bytes) -> Output:
        record = decode_for("billing.ready", value)
        return Output(record["subject"], record["amount"])

    check(ready, charge, backlog.expected, once=True)
