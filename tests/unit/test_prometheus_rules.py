"""The rules as `promtool` sees them: each alert shown to fire and to keep quiet, each with a runbook."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from metrics.metric_catalogue import CATALOGUE
from ops.prometheus.__main__ import FILE, page
from ops.prometheus.config import alertmanager, write, write_beside
from ops.prometheus.rules import Tuning, rules
from settings import CHECKOUT
from tests.unit.ops_rules import CASES

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (package prometheus) is missing")
needs_amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool (prometheus-alertmanager) is missing")
RULES: list[dict[str, Any]] = [rule for group in rules()["groups"] for rule in group["rules"]]  # type: ignore[attr-defined]
ALERTS = [rule for rule in RULES if "alert" in rule]
PROVIDED = {"up", "absent"}


def told(*command: str | Path) -> str:
    """What a tool says that succeeds."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_committed_rules_are_those_of_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == page()


@needs_promtool
def test_promtool_accepts_rules_and_configuration(tmp_path: Path) -> None:
    folder = write_beside(tmp_path, Tuning(), "127.0.0.1:9093", None)
    (folder / "workers.json").write_text("[]")
    assert "SUCCESS" in told("promtool", "check", "config", folder / "prometheus.yml")
    assert "SUCCESS" in told("promtool", "check", "rules", FILE)


@needs_amtool
def test_amtool_accepts_the_configuration_of_alertmanager(tmp_path: Path) -> None:
    for name, webhook in (("kept", None), ("sent", "http://127.0.0.1:1/alerts")):
        file = tmp_path / f"{name}.yml"
        write(file, alertmanager(webhook, Tuning()))
        assert "SUCCESS" in told("amtool", "check-config", file)
    assert "SUCCESS" in told("amtool", "check-config", CHECKOUT / "ops" / "compose" / "alertmanager.yml")


@needs_promtool
def test_every_alert_fires_when_it_must_and_only_then(tmp_path: Path) -> None:
    write(tmp_path / "rules.yml", rules())
    tests = []
    for alert, series, at, fires in CASES:
        firing = {"alertname": alert, "alertstate": "firing", **(fires or {})}
        labels = ", ".join(f'{name}="{value}"' for name, value in sorted(firing.items()))
        severity = f', long_window="{fires["long_window"]}"' if fires and "long_window" in fires else ""
        query = {
            "expr": f'ALERTS{{alertname="{alert}", alertstate="firing"{severity}}}',
            "eval_time": at,
            "exp_samples": [{"labels": f"ALERTS{{{labels}}}", "value": 1}] if fires else [],
        }
        tests.append(
            {
                "interval": "15s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [query],
            }
        )
    write(tmp_path / "tests.yml", {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": tests})
    told("promtool", "test", "rules", tmp_path / "tests.yml")

    outcomes = defaultdict(set)
    for case in CASES:
        outcomes[case.alert].add(case.fires is not None)
    assert outcomes == {rule["alert"]: {True, False} for rule in ALERTS}


def test_every_alert_says_what_to_do_and_every_runbook_is_used() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert all(rule["annotations"][name] for name in ("summary", "description"))
    named = {rule["annotations"]["runbook"] for rule in ALERTS}
    written = {str(file.relative_to(CHECKOUT)) for file in (CHECKOUT / "ops" / "runbooks").glob("*.md")}
    assert named == written
    for name in written:
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {Path(name).stem}\n")
        assert all(f"\n## {part}\n" in text for part in ("Look", "Mend", "It ends when"))


def test_rules_ask_only_for_what_is_served_or_recorded() -> None:
    served = {each.name for each in CATALOGUE.values()} | {each.shown for each in CATALOGUE.values()}
    served |= {f"hourstream_cycle_seconds_{part}" for part in ("bucket", "count", "sum")}
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    for rule in RULES:
        asked = set(re.findall(r"\bhourstream[a-zA-Z0-9_:]+", rule["expr"]))
        assert asked - {"hourstream"} <= served | recorded, rule


def test_a_tuned_rule_file_differs_in_numbers_only() -> None:
    tuned = rules(Tuning(pace=0.01, exceptions_seconds=1, interval_seconds=1))
    for before, after in zip(RULES, [r for g in tuned["groups"] for r in g["rules"]], strict=True):  # type: ignore[attr-defined]
        assert _without_numbers(before) == _without_numbers(after)


def _without_numbers(rule: dict[str, Any]) -> str:
    return re.sub(r"\d[\d.]*(ms|s)?", "", yaml.dump(rule, width=9999))
