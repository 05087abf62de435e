"""What a record costs to encode and decode, by the compiled codec and by fastavro: `benchmarks.codec_cost`."""

import io
import time
from collections.abc import Callable

import fastavro

from schemas import codec
from schemas.registry import FileRegistry, subject_of
from tests.contract.schema_records import sample
from topics import topic_names

TOPICS = (topic_names.TIME_ENTRIES, topic_names.BILLING_READY, topic_names.MASTER_ENGAGEMENTS)
_RUNS, _RECORDS, _HEADER = 7, 2_000, 5


def microseconds(work: Callable[[], object]) -> float:
    """CPU microseconds of one call: the best of the runs."""
    best = float("inf")
    for _ in range(_RUNS):
        began = time.process_time()
        for _ in range(_RECORDS):
            work()
        best = min(best, (time.process_time() - began) / _RECORDS)
    return best * 1e6


def compare(topic: str) -> str:
    """A row of the table: the same bytes by both, in both directions."""
    registry = FileRegistry()
    schema = fastavro.parse_schema(registry.schema_of(registry.id_of(subject_of(topic))))
    record = sample(codec.shape(topic))
    encoded = codec.encode(topic, record)

    def write() -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, record)
        return out.getvalue()

    def read() -> object:
        return fastavro.schemaless_reader(io.BytesIO(encoded[_HEADER:]), schema, None)

    if write() != encoded[_HEADER:] or read() != codec.decode_for(topic, encoded):
        raise SystemExit(f"{topic}: the two do not agree")
    costs = (lambda: codec.encode(topic, record), write, lambda: codec.decode_for(topic, encoded), read)
    return " | ".join((f"| `{topic}`", *(f"{microseconds(work):.1f}" for work in costs))) + " |"


if __name__ == "__main__":
    for name in TOPICS:
        print(compare(name))
