"""The dashboards' files: current, every panel with a unit, a description and a query of what is served."""

import json
import re
from typing import Any

import pytest

from metrics.metric_catalogue import CATALOGUE
from ops.grafana.__main__ import files
from ops.grafana.dashboards import DASHBOARDS
from ops.grafana.panels import SOURCE, Dashboard
from ops.prometheus.rules import rules

RECORDED = {rule["record"] for group in rules()["groups"] for rule in group["rules"] if "record" in rule}  # type: ignore[attr-defined]


def test_the_committed_files_are_those_of_the_code() -> None:
    for file, content in files().items():
        assert file.read_text(encoding="utf-8") == content, f"{file.name}: run `python -m ops.grafana`"
    (folder,) = {file.parent for file in files()}
    assert set(folder.glob("*.json")) == set(files())


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_every_panel_says_what_it_shows_and_in_what_unit(dashboard: Dashboard) -> None:
    read: dict[str, Any] = json.loads(dashboard.json())
    panels = [panel for panel in read["panels"] if panel["type"] != "row"]
    assert len(panels) == len(dashboard.panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == SOURCE.uid
        assert all(target["expr"] and target["datasource"]["uid"] == SOURCE.uid for target in panel["targets"])
    assert len({panel["id"] for panel in read["panels"]}) == len(read["panels"])


def test_panels_ask_only_for_what_is_served_or_recorded() -> None:
    served = {each.shown for each in CATALOGUE.values()} | RECORDED
    served |= {f"hourstream_cycle_seconds_{part}" for part in ("bucket", "count", "sum")}
    asked = {
        name
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
        for query in panel.queries
        for name in re.findall(r"\bhourstream[:_][a-zA-Z0-9_:]+", query.expr)
    }
    assert asked <= served
