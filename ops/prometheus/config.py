"""Configuration of Prometheus and Alertmanager beside `hourstream up`: the workers are found by the supervisor's file.

In containers the workers have fixed names instead: ops/compose.
"""

from pathlib import Path

import yaml

from ops.prometheus.rules import Tuning, rules

JOB = "hourstream"


def prometheus(tuning: Tuning, workers: Path, rule_file: Path, alertmanager: str | None) -> dict[str, object]:
    """prometheus.yml. `workers` is the file of targets, `alertmanager` is host:port."""
    interval = f"{tuning.interval_seconds}s"
    config: dict[str, object] = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(rule_file)],
        "scrape_configs": [
            {"job_name": JOB, "file_sd_configs": [{"files": [str(workers)], "refresh_interval": interval}]}
        ],
    }
    if alertmanager is not None:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return config


def alertmanager(webhook: str | None, tuning: Tuning) -> dict[str, object]:
    """alertmanager.yml: everything to one receiver, grouped by alert; without a webhook it is only kept and shown."""
    receiver: dict[str, object] = {"name": "finance-operations"}
    if webhook is not None:
        receiver["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
    return {
        "route": {
            "receiver": receiver["name"],
            "group_by": ["alertname"],
            "group_wait": tuning.wait(0.5),
            "group_interval": tuning.wait(5),
            "repeat_interval": "12h",
        },
        "inhibit_rules": [  # a page replaces a ticket about the same problem
            {
                "source_matchers": ['severity="page"'],
                "target_matchers": ['severity="ticket"'],
                "equal": ["alertname"],
            }
        ],
        "receivers": [receiver],
    }


def write_beside(home: Path, tuning: Tuning, alertmanager_at: str | None, webhook: str | None) -> Path:
    """Write all three files under HOME/run/prometheus; returns the folder."""
    folder = home / "run" / "prometheus"
    folder.mkdir(parents=True, exist_ok=True)
    rule_file = folder / "rules.yml"
    write(rule_file, rules(tuning))
    config = prometheus(tuning, folder / "workers.json", rule_file, alertmanager_at)
    write(folder / "prometheus.yml", config)
    write(folder / "alertmanager.yml", alertmanager(webhook, tuning))
    return folder


def text(content: object) -> str:
    """As YAML."""
    return yaml.dump(content, Dumper=yaml.SafeDumper, sort_keys=False, width=110, allow_unicode=True)


def write(file: Path, content: object) -> None:
    """Write as YAML, whole or not at all: Prometheus may read it at any time."""
    part = file.with_suffix(".part")
    part.write_text(text(content), encoding="utf-8")
    part.replace(file)
