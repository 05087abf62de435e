"""Panels and dashboards of one look: every panel has a unit, a description and queries of the one data source."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
Shape = Literal["stat", "lines", "bars"]
Built = stat.Panel | timeseries.Panel | bargauge.Panel
_BUILDERS: dict[Shape, type[stat.Panel] | type[timeseries.Panel] | type[bargauge.Panel]] = {
    "stat": stat.Panel,
    "lines": timeseries.Panel,
    "bars": bargauge.Panel,
}
_WIDTHS: dict[Shape, int] = {"stat": 6, "lines": 12, "bars": 12}
_HEIGHTS: dict[Shape, int] = {"stat": 4, "lines": 8, "bars": 8}


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and the name of its series: a template of labels such as {{stage}}."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """`bad` colours a stat red from that value on (or, with `low`, below it)."""

    title: str
    says: str
    unit: str
    shape: Shape
    queries: Sequence[Query]
    bad: float | None = None
    low: bool = False
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and the panels under it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One file of ops/grafana."""

    uid: str
    title: str
    says: str
    rows: Sequence[Row]

    @property
    def panels(self) -> list[Panel]:
        """All of them."""
        return [panel for row in self.rows for panel in row.panels]

    def json(self) -> str:
        """As Grafana reads it."""
        built = (
            dashboard.Dashboard(f"Hourstream: {self.title}")
            .uid(f"hourstream-{self.uid}")
            .description(self.says)
            .tags(["hourstream"])
            .timezone("browser")
            .time("now-6h", "now")
            .refresh("30s")
            .readonly()
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .link(dashboard.DashboardLink("Dashboards").tags(["hourstream"]).as_dropdown(True).keep_time(True))
        )
        number = itertools.count(1)
        for row in self.rows:
            built = built.with_row(dashboard.Row(row.title).id(next(number)))
            for panel in row.panels:
                built = built.with_panel(_built(panel).id(next(number)))
        return f"{JSONEncoder(sort_keys=True, indent=2).encode(built.build())}\n"


def _built(panel: Panel) -> Built:
    built = (
        _BUILDERS[panel.shape]()
        .title(panel.title)
        .description(panel.says)
        .datasource(SOURCE)
        .unit(panel.unit)
        .span(_WIDTHS[panel.shape])
        .height(_HEIGHTS[panel.shape])
    )
    if panel.decimals is not None:
        built = built.decimals(panel.decimals)
    if panel.bad is not None:
        good, beyond = ("red", "green") if panel.low else ("green", "red")
        steps = [Threshold(value=None, color=good), Threshold(value=panel.bad, color=beyond)]
        built = built.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if isinstance(built, timeseries.Panel):
        legend = common.VizLegendOptions().display_mode(models.LegendDisplayMode.LIST).show_legend(True)
        built = built.legend(legend.placement(models.LegendPlacement.BOTTOM)).fill_opacity(10)
    for number, query in enumerate(panel.queries):
        asked = prometheus.Dataquery().expr(query.expr).legend_format(query.legend or "__auto").datasource(SOURCE)
        asked = asked.ref_id(chr(ord("A") + number))
        built = built.with_target(asked.range() if panel.shape == "lines" else asked.instant())
    return built
