"""However facts arrive, the books are what `settle` says of them: the law over the incremental engine (DOMAIN §3)."""

import gzip
import itertools
import json
import os
import secrets
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from assurance.ledger_reader import Books
from assurance.statements import statements
from common.errors import InvalidRecord
from metrics.worker_metrics import conservation_residue
from rating.model.facts import TimeEntry
from schemas.json_codec import from_json
from tests.unit.tables.histories import Arrival, arrivals, histories
from tests.unit.tables.stream import Line, Stream

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"
NAMES = ("time-and-materials", "all-features", "second-edition")
HISTORIES = int(os.environ.get("HISTORIES", "2000"))
SEED = int(os.environ.get("HISTORIES_SEED", secrets.randbelow(2**32)))


def lines_of(name: str, file: str) -> list[dict[str, Any]]:
    """The lines of a file of a worked example; of facts those that can be written as records at all."""
    with gzip.open(EXAMPLES / name / f"{file}.jsonl.gz", "rt", encoding="utf-8") as text:
        lines = [json.loads(line) for line in text]
    return lines if file == "ledger" else [line for line in lines if _is_writable(line)]


def _is_writable(line: Line) -> bool:
    try:
        from_json(line["topic"], line["value"])
    except InvalidRecord:
        return False
    return True


def unaccounted(books: Books) -> dict[str, int]:
    """Approved minutes less those charged, parked and waived, by engagement, as the topics alone tell (DOMAIN §5.1)."""
    left = Counter[str]()
    for (engagement_id, _), fact in books.facts.items():
        left[engagement_id] += fact.minutes if isinstance(fact, TimeEntry) and fact.status == "approved" else 0
    for (engagement_id, _), records in books.charges.items():
        left[engagement_id] -= sum(record["worked_minutes"] for record in records)
    for (engagement_id, _), exception in books.exceptions.items():
        left[engagement_id] -= exception["minutes"] if exception["status"] != "resolved" else 0
    return {engagement_id: minutes for engagement_id, minutes in left.items() if minutes}


def conserves(stream: Stream) -> None:
    """No approved minute is lost or counted twice: by the live totals, and by what was published."""
    assert conservation_residue(stream.totals()) == 0
    assert unaccounted(stream.books) == {}


def played(arrival: Arrival) -> Stream:
    """The stream after an arrival, at rest; minutes were conserved after every batch and every chunk of a sweep."""
    stream = Stream(arrival.chunk, arrival.most_bytes)
    for number, batch in enumerate(arrival.batches):
        if number in arrival.restarts:
            stream.restart()
        stream.deliver(batch)
        conserves(stream)
    while not stream.is_at_rest():
        stream.settle([])
        conserves(stream)
    return stream


def holds_the_law(stream: Stream) -> None:
    """The ledger as published is the one of the law, and each statement that Kafka alone can prove is true."""
    assert [statement for statement in statements(stream.books, None) if not statement.holds] == []


def draws(examples: int) -> settings:
    """So many histories; a failure comes with its smallest example, and a blob that makes it again."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, print_blob=True, suppress_health_check=checks)


@pytest.mark.timeout(4 * 3600)  # as many as are asked for
@seed(SEED)
@draws(HISTORIES)
@given(st.data())
def test_any_history_in_any_arrival_comes_to_what_the_law_says(data: st.DataObject) -> None:
    """One event a batch, so that minutes are seen to be conserved after every single one."""
    note(f"HISTORIES={HISTORIES} HISTORIES_SEED={SEED}")
    lines = data.draw(histories())
    stream = played(data.draw(arrivals(lines)))
    holds_the_law(stream)

    told = len(stream.outputs)
    stream.deliver(lines)  # every record once more
    stream.rest()
    assert stream.outputs[told:] == []


@draws(150)
@given(st.data())
def test_batches_of_any_size_come_to_the_same(data: st.DataObject) -> None:
    lines = data.draw(histories())
    stream = played(data.draw(arrivals(lines, largest_batch=12)))
    holds_the_law(stream)
    in_order = played(Arrival((tuple(lines),), frozenset(), chunk=20_000))
    assert stream.books.ledger() == in_order.books.ledger()


@draws(60)
@given(st.data())
def test_conflicting_revisions_leave_the_first_seen_standing(data: st.DataObject) -> None:
    """The one place where arrival order may matter: the law is then that of the first seen."""
    one, other = data.draw(histories()), data.draw(histories())
    stream = played(data.draw(arrivals([*one, *other], largest_batch=12)))
    holds_the_law(stream)


@draws(40)
@given(st.sampled_from(NAMES), st.integers(0, 10**6), st.sampled_from([1, 20, 20_000]))
def test_a_part_of_a_worked_example_in_any_arrival(name: str, seed: int, chunk: int) -> None:
    lines, random = lines_of(name, "facts"), Random(seed)
    part = [line for line in lines if random.random() < 0.2]
    random.shuffle(part)
    cuts = sorted({0, len(part), *(random.randrange(len(part)) for _ in range(random.randrange(20)))})
    batches = tuple(tuple(part[a:b]) for a, b in itertools.pairwise(cuts))
    restarts = frozenset(random.sample(range(len(batches)), min(3, len(batches))))
    holds_the_law(played(Arrival(batches, restarts, chunk)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_a_worked_example_in_any_order_has_exactly_its_ledger(name: str, seed: int) -> None:
    random = Random(seed)
    lines: list[Line] = lines_of(name, "facts")
    lines += random.sample(lines, len(lines) // 10)
    random.shuffle(lines)
    size = random.choice([40, 100, 400])
    batches = tuple(tuple(lines[start : start + size]) for start in range(0, len(lines), size))
    stream = played(Arrival(batches, frozenset({1, 3}), chunk=random.choice([50, 20_000])))
    assert stream.books.ledger() == lines_of(name, "ledger")
    holds_the_law(stream)
