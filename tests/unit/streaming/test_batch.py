"""A batch of one partition number."""

from streaming.batch import Batch, Record


def test_the_time_of_a_batch_is_its_latest_append() -> None:
    records = [Record("time.entries", 0, n, ms, None, None, ()) for n, ms in enumerate((5, 9, 7))]
    assert Batch(0, 1, {"time.entries": 0}, {"time.entries": 3}, records).timestamp_ms == 9
    assert Batch(0, 1, {}, {}, []).timestamp_ms == 0
