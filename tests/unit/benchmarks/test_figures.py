"""The arithmetic of the benchmark's figures, its knobs and its report."""

import pytest

from benchmarks.harness.figures import Run, median_of, percentile, ratios, summary
from benchmarks.harness.knobs import Knobs
from benchmarks.harness.report import markdown


def run(contender: str, number: int, cpu_seconds: float, **more: float) -> Run:
    made = Run(contender, number, "exactly once", 1_000, 950, 2.0, cpu_seconds, 64 << 20, "all of it")
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_rates_are_of_the_records_that_came_in() -> None:
    one = run("hourstream", 1, 4.0, restored_rows=500, restore_seconds=0.25)
    assert (one.a_second, one.a_cpu_second, one.restored_a_second) == (500, 250, 2000)
    assert run("hourstream", 1, 4.0).restored_a_second is None


def test_a_summary_is_of_medians_and_of_what_was_measured_only() -> None:
    runs = [run("faust", n, cpu) for n, cpu in ((1, 1.0), (2, 8.0), (3, 2.0))]
    runs[0].latency_p50_ms = 12.0
    told = summary(runs)
    assert told["records_per_cpu_second"] == 500
    assert told["latency_p50_ms"] == 12.0
    assert told["restored_rows_per_second"] is None
    assert median_of([]) is None


def test_ratios_are_ours_over_the_peers_and_need_both() -> None:
    medians = {
        "hourstream": summary([run("hourstream", 1, 2.0)]),
        "bare_loop": summary([run("bare_loop", 1, 1.0)]),
        "settle": summary([run("settle", 1, 10.0)]),
    }
    assert ratios(medians) == {"enrich_vs_bare_loop": 0.5}
    medians["kafka_streams_eos"] = summary([run("kafka_streams_eos", 1, 4.0)])
    assert ratios(medians) == {
        "enrich_vs_kafka_streams_eos": 2.0,
        "enrich_vs_bare_loop": 0.5,
        "settle_vs_kafka_streams_eos": 0.4,
    }


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentiles_are_values_that_occurred(share: float, expected: int) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_knobs_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_RECORDS", "5000")
    monkeypatch.setenv("BENCH_CONTENDERS", "faust, hourstream")
    knobs = Knobs.load()
    assert (knobs.records, knobs.rounds) == (5000, Knobs().rounds)
    assert knobs.wanted(("hourstream", "faust", "settle")) == ("faust", "hourstream")
    assert Knobs().wanted(("hourstream", "faust")) == ("hourstream", "faust")
    with pytest.raises(ValueError, match="no faust; there are hourstream"):
        knobs.wanted(("hourstream",))
    monkeypatch.setenv("BENCH_ROUNDS", "many")
    with pytest.raises(ValueError, match="BENCH_ROUNDS"):
        Knobs.load()


def test_the_report_has_a_row_a_contender_and_a_line_a_ratio() -> None:
    runs = [run("hourstream", 1, 2.0, latency_rate=300, latency_p50_ms=12.0, latency_p99_ms=40.0)]
    report = markdown(
        {
            "began": "2026-01-01T00:00:00+00:00",
            "machine": {
                "cores": 2, "processor": "one", "memory_gib": 8, "python": "3.11", "java": "17", "kafka": "4.1",
                "load_average_at_start": 0.1,
            },
            "knobs": {"latency_rate": 2000, "rounds": 3, "records": 1000, "warmup": 500},
            "ratios": {"enrich_vs_bare_loop": 0.75},
            "medians": {"hourstream": summary(runs)},
            "settle_at_scale": None,
            "runs": [each.as_json() for each in runs],
        }
    )  # fmt: skip
    assert "| hourstream | exactly once | 500 | 500 | 64 | 12 / 40 at 300/s | - |" in report
    assert "| `enrich_vs_bare_loop` | 0.75 |" in report
