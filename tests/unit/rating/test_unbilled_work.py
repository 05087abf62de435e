"""Age buckets: one definition for pages, the API and metrics."""

import pytest

from rating.unbilled_work import AGE_BUCKETS, age_bucket


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        (-3, "0-30"), (0, "0-30"), (30, "0-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"), (90, "61-90"),
        (91, "91-180"), (180, "91-180"), (181, "over 180"), (5000, "over 180"),
    ],
)  # fmt: skip
def test_each_day_is_in_the_bucket_that_names_it(days: int, bucket: str) -> None:
    assert AGE_BUCKETS[age_bucket(days)] == bucket
