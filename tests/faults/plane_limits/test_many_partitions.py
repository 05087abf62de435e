"""What a partition costs its worker: threads, memory and start, at 4, 16 and 64 partitions in one process.

Soak: it measures. The figures are in docs/limits.md.
"""

import time

import psutil
import pytest

from tests.faults.plane_limits.conftest import Make

THREADS_EACH, THREADS_ALONE, MIB_EACH = 12, 60, 8  # a producer's and a reader's threads; the pool's, Faust's, Python's


@pytest.mark.soak
@pytest.mark.parametrize("partitions", [4, 16, 64])
def test_threads_and_memory_grow_by_a_fixed_amount_a_partition(worker: Make, partitions: int) -> None:
    app = worker(f"many-{partitions}")
    app.topics(partitions=partitions)
    for number in range(partitions):
        app.publish(*(b"%d" % value for value in range(100)), partition=number)
    began = time.monotonic()
    app.start()
    app.wait(lambda: len(app.outputs()) == 100 * partitions, "not everything came through")
    took = time.monotonic() - began
    time.sleep(3)
    process = psutil.Process(app.process.pid)
    before, idle = process.cpu_times(), 10.0
    time.sleep(idle)
    after = process.cpu_times()
    threads, mib = process.num_threads(), process.memory_info().rss / 2**20
    cpu = (after.user + after.system - before.user - before.system) / idle
    print(f"{partitions} partitions: through after {took:.1f} s, {threads} threads, {mib:.0f} MiB, idle {cpu:.1%} CPU")
    assert threads <= THREADS_ALONE + THREADS_EACH * partitions
    assert mib <= 150 + MIB_EACH * partitions
