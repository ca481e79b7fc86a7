"""How a panel of each kind looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
Panel = stat.Panel | timeseries.Panel | heatmap.Panel | table.Panel


def asks(expression: str, legend: str = "", name: str = "A") -> prometheus.Dataquery:
    """One query of a panel."""
    query = prometheus.Dataquery().ref_id(name).datasource(SOURCE).expr(expression)
    return query.legend_format(legend).editor_mode(QueryEditorMode.CODE)


def number(title: str, meaning: str, expression: str, *, unit: str = "short", **looks: object) -> stat.Panel:
    """One large number. `looks`: `steps` (from which value on which colour), `decimals`, `legend`."""
    panel = stat.Panel().title(title).description(meaning).datasource(SOURCE).height(4).span(4).unit(unit)
    panel.with_target(asks(expression, str(looks.get("legend", ""))).range())
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.graph_mode(shapes.BigValueGraphMode.AREA).color_mode(shapes.BigValueColorMode.VALUE)
    if isinstance(decimals := looks.get("decimals"), int):
        panel.decimals(decimals)
    if isinstance(steps := looks.get("steps"), Mapping):
        levels = [Threshold(value=value, color=color) for color, value in steps.items()]
        panel.thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(levels))
        panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
    return panel


def lines(
    title: str,
    meaning: str,
    queries: Mapping[str, str],
    *,
    unit: str = "short",
    top: float | None = None,
    is_stacked: bool = False,
    dashed: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Lines over time; `queries`: by legend. From 0 to `top`.

    `dashed`: legends of what lines are compared with. `links`: where a click on a line leads, by title.
    """
    panel = timeseries.Panel().title(title).description(meaning).datasource(SOURCE).height(8).span(8).unit(unit)
    for letter, (legend, expression) in zip("ABCDEF", queries.items(), strict=False):
        panel.with_target(asks(expression, legend, letter).range())
        if legend in dashed:
            panel.override_by_query(letter, _dashed())
    panel.data_links([DashboardLink(title).url(url).target_blank(True) for title, url in (links or {}).items()])
    if top is not None:
        panel.max(top)
    mode = shapes.StackingMode.NORMAL if is_stacked else shapes.StackingMode.NONE
    panel.stacking(common.StackingConfig().mode(mode).group("A")).axis_soft_min(0)
    panel.draw_style(shapes.GraphDrawStyle.LINE).line_width(1).fill_opacity(30 if is_stacked else 5)
    panel.show_points(shapes.VisibilityMode.AUTO).span_nulls(False)  # no lines across times in which nothing was scored
    legend_options = common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.LIST).show_legend(True)
    panel.legend(legend_options.placement(shapes.LegendPlacement.BOTTOM).calcs([]))
    tooltip = common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING)
    return panel.tooltip(tooltip)


def _dashed() -> list[DynamicConfigValue]:
    style = {"fill": "dash", "dash": [6, 6]}
    return [
        DynamicConfigValue(id_val="custom.lineStyle", value=style),
        DynamicConfigValue(id_val="custom.fillOpacity", value=0),
    ]


def spread(title: str, meaning: str, expression: str) -> heatmap.Panel:
    """A histogram over time."""
    panel = heatmap.Panel().title(title).description(meaning).datasource(SOURCE).height(8).span(8)
    panel.with_target(asks(expression, "{{le}}").range().format(PromQueryFormat.HEATMAP))
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").fill("blue")
    panel.color(color.scale(HeatmapColorScale.EXPONENTIAL).exponent(0.5).steps(64).reverse(False))
    panel.y_axis(heatmap.YAxisConfig().axis_placement(shapes.AxisPlacement.LEFT).unit("short"))
    panel.rows_frame(heatmap.RowsHeatmapOptions().layout(shapes.HeatmapCellLayout.AUTO))
    panel.show_value(shapes.VisibilityMode.NEVER).calculate(False).cell_gap(1)
    panel.filter_values(heatmap.FilterValueRange().le(1e-9)).exemplars_color("rgba(255,0,255,0.7)")
    return panel.show_legend().show_tooltip().show_y_histogram()


def listing(title: str, meaning: str, expression: str, columns: Sequence[str]) -> table.Panel:
    """The labels of a query's series as a table, now."""
    panel = table.Panel().title(title).description(meaning).datasource(SOURCE).height(6).span(12)
    panel.show_header(True).with_target(asks(expression).instant().format(PromQueryFormat.TABLE))
    order = {name: place for place, name in enumerate(columns)}
    hidden = {"Time": True, "Value": True}
    options = {"indexByName": order, "excludeByName": hidden}
    return panel.with_transformation(DataTransformerConfig(id_val="organize", options=options))
