"""Token bucket, backoff and breaker, held to what they promise over any course of time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.delivery.rate_limit import Backoff, Breaker, CallGate, CallPolicy, TokenBucket, backoff, pause_of_looks

steps = st.floats(0.0, 5.0, allow_nan=False)
chances = st.floats(0.0, 1.0, exclude_max=True, allow_nan=False)
ROUNDING = 1e-9  # seconds; instants are floats that add up


@given(st.floats(0.1, 50.0), st.integers(1, 10), st.lists(steps, min_size=1, max_size=80))
def test_no_span_of_time_sees_more_calls_than_its_rate_and_burst(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate, burst, 0.0), 0.0, list[float]()
    for pause in pauses:
        now += pause
        while bucket.wait(now) == 0.0:
            bucket.take(now)
            taken.append(now)
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + rate * (taken[last] - begin) + 1e-6
    assert len(taken) <= rate * now + 1e-6  # it starts empty


@given(st.floats(0.1, 50.0), st.integers(1, 10), st.integers(1, 60))
def test_who_waits_as_told_gets_the_whole_rate(rate: float, burst: int, calls: int) -> None:
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    for _ in range(calls):
        now += bucket.wait(now)
        bucket.take(now)
    assert now == pytest.approx(calls / rate)


def test_a_call_that_does_not_wait_is_an_error() -> None:
    bucket = TokenBucket(2.0, 1, 0.0)
    with pytest.raises(ValueError, match=r"another 0\.250 s"):
        bucket.take(0.25)
    with pytest.raises(ValueError, match="lets nothing through"):
        TokenBucket(0.0, 1, 0.0)


@given(st.integers(1, 10_000), st.floats(0.01, 5.0), st.floats(5.0, 600.0), chances)
def test_a_backoff_is_anything_up_to_a_bound_that_doubles(n: int, first: float, longest: float, chance: float) -> None:
    bounds = [backoff(each, first, longest, 1.0) for each in (n, n + 1)]
    assert 0.0 <= backoff(n, first, longest, chance) <= bounds[0] <= longest
    assert bounds[1] == pytest.approx(min(bounds[0] * 2, longest))
    assert backoff(1, first, longest, 1.0) == pytest.approx(first)


events = st.lists(st.tuples(steps, st.booleans(), chances), max_size=120)


@given(st.integers(1, 6), events)
def test_an_open_breaker_lets_one_probe_through_at_a_time(
    failures: int, course: list[tuple[float, bool, float]]
) -> None:
    """Calls begin whenever they may; each step answers the oldest, well or not."""
    breaker = Breaker(failures, 1.0, 8.0)
    now, out, in_a_row, opened = 0.0, list[bool](), 0, list[float]()
    for step, well, chance in course:
        now += step
        state = breaker.state(now)
        if breaker.wait(now) == 0.0:
            out.append(breaker.begin(now))
        assert sum(out) <= 1
        assert (state == "closed") == (in_a_row < failures or not opened)
        if not out:
            continue
        probe = out.pop(0)
        if well:
            breaker.succeeded()
            out = [False] * len(out)  # a probe on its way is an ordinary call again
            in_a_row, opened = 0, []
        else:
            in_a_row += 1
            if breaker.failed(now, probe, chance):
                opened.append(now)
                wait = breaker.wait(now)
                assert wait is not None
                assert 0.5 - ROUNDING <= wait <= 8.0 + ROUNDING
    assert all(later - earlier >= 0.5 - ROUNDING for earlier, later in pairwise(opened))


def test_pauses_double_until_the_target_is_back() -> None:
    breaker, now, waits = Breaker(2, 1.0, 6.0), 0.0, []
    assert not breaker.failed(now, breaker.begin(now), 0.0)
    probe = breaker.begin(now)
    for _ in range(5):
        assert breaker.failed(now, probe, 1.0)
        wait = breaker.wait(now)
        assert wait is not None
        waits.append(wait)
        assert breaker.state(now) == "open"
        now += wait
        assert breaker.state(now) == "half_open"
        probe = breaker.begin(now)
        assert probe
        assert breaker.wait(now) is None
        with pytest.raises(ValueError, match="open"):
            breaker.begin(now)
    assert waits == [1.0, 2.0, 4.0, 6.0, 6.0]
    breaker.succeeded()
    assert (breaker.state(now), breaker.wait(now)) == ("closed", 0.0)
    assert not breaker.failed(now, False, 0.0)


def test_what_fails_late_neither_opens_again_nor_ends_the_probe() -> None:
    breaker = Breaker(1, 1.0, 8.0)
    calls = [breaker.begin(0.0), breaker.begin(0.0), breaker.begin(0.0)]
    assert breaker.failed(0.0, calls[0], 1.0)
    assert not breaker.failed(0.5, calls[1], 1.0)
    assert breaker.wait(0.5) == 0.5
    assert breaker.begin(1.0)
    assert not breaker.failed(1.1, calls[2], 1.0)
    assert breaker.wait(1.1) is None


def test_a_pause_that_is_asked_for_holds_all_calls_and_no_longer_than_is_sensible() -> None:
    gate = CallGate(CallPolicy(breaker_failures=9, longest_retry_after=60.0), now=0.0)
    assert gate.wait(0.0) == 0.0
    probe = gate.begin(0.0)
    assert gate.failed(0.0, probe, 0.5, retry_after=7.0) == Backoff(7.0, None)
    assert gate.failed(1.0, probe, 0.5, retry_after=None) == Backoff(6.0, None)
    assert gate.failed(1.0, probe, 0.5, retry_after=2.0) == Backoff(6.0, None)  # the longest of them
    assert gate.wait(2.0) == 5.0
    assert not gate.succeeded(2.0)  # an answer to another call ends no pause
    assert (gate.wait(2.0), gate.wait(7.0)) == (5.0, 0.0)
    assert gate.failed(7.0, probe, 0.5, retry_after=86_400.0).asked == 60.0
    assert CallGate(CallPolicy(), now=5.0, paused_for=3.0).wait(6.0) == 2.0


def test_the_next_call_waits_for_whatever_is_last() -> None:
    policy = CallPolicy(per_second=0.1, breaker_failures=1, breaker_pause=4.0)
    gate = CallGate(policy, now=0.0)
    assert gate.wait(0.0) == 10.0
    probe = gate.begin(10.0)
    assert gate.failed(10.0, probe, 1.0, retry_after=2.0) == Backoff(2.0, 4.0)
    assert gate.probing(10.0)
    assert gate.wait(10.0) == 10.0  # of the bucket
    assert gate.begin(20.0)
    assert gate.wait(20.0) is None  # of the probe
    assert gate.succeeded(20.0)
    assert not gate.probing(20.0)
    assert gate.wait(20.0) == 10.0


def test_looks_back_off_until_the_breaker_opens_and_are_probes_from_there_on() -> None:
    policy = CallPolicy(
        first_pause=1.0, longest_pause=3.0, breaker_failures=4, breaker_pause=10.0, longest_breaker_pause=25.0
    )
    assert [pause_of_looks(policy, n, 0.999, None) for n in (1, 2, 3)] == pytest.approx([1, 2, 3], rel=0.01)
    assert [pause_of_looks(policy, n, 0.0, None) for n in (1, 4, 5, 6, 400)] == [0, 5, 10, 12.5, 12.5]
    assert pause_of_looks(policy, 1, 0.0, retry_after=7.0) == 7.0
    assert pause_of_looks(policy, 1, 0.0, retry_after=86_400.0) == policy.longest_retry_after
