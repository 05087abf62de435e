"""A sink's live figures: counted with the batch, by append time, and still there for another process."""

from dataclasses import replace

from invoicing.charge_projection import NAME, Projection
from storage.live_counts import KEPT_MINUTES, SinkFigures
from storage.postgres import Pool
from tests.contract.sinks.sink_charges import batch, charge

MINUTE = 60_000
NOW = 1_000_000 * MINUTE


def test_records_count_in_the_minute_they_were_appended(pool: Pool) -> None:
    sink = Projection(pool)
    for start, age in ((0, 0), (2, 3), (4, 40)):
        work = batch(start, [charge(f"entry-{start}")])
        sink.write(replace(work, rows=[replace(row, timestamp_ms=NOW - age * MINUTE) for row in work.rows]))
    repeated = batch(6, [charge("entry-0")])
    sink.write(replace(repeated, rows=[replace(row, timestamp_ms=NOW) for row in repeated.rows]))
    figures = SinkFigures(pool, NAME).windows(NOW)
    assert [figures[span, "posted"] for span in (1, 5, 60)] == [1, 2, 3]
    assert [figures[span, "duplicate"] for span in (1, 5, 60)] == [1, 1, 1]
    assert [figures[span, "received"] for span in (1, 5, 60)] == [2, 3, 4]
    later = SinkFigures(pool, NAME).windows(NOW + 30 * MINUTE)
    assert (later[5, "received"], later[60, "received"]) == (0, 3)

    old = batch(8, [charge("entry-8")])
    sink.write(replace(old, rows=[replace(row, timestamp_ms=NOW + 2 * KEPT_MINUTES * MINUTE) for row in old.rows]))
    assert SinkFigures(pool, NAME, spans=(10_000,)).windows(NOW + 2 * KEPT_MINUTES * MINUTE)[10_000, "received"] == 1
