"""Panels in the house style: one place for datasource, colours and sizes. Grafana's grid is 24 columns wide."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="$datasource")
Query = tuple[str, str]
"""Expression and legend."""

FINE, WORTH_A_LOOK, BAD = "green", "orange", "red"


def steps(*limits: tuple[float | None, str]) -> build.ThresholdsConfig:
    """Colours from a value on; the first limit is None, from minus infinity."""
    return (
        build.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=colour) for value, colour in limits])
    )


def number(
    title: str,
    expression: str,
    says: str,
    *,
    limits: build.ThresholdsConfig,
    unit: str = "short",
    width: int = 4,
    names: Sequence[tuple[int, str, str]] = (),
) -> stat.Panel:
    """One figure that is coloured by what it means; `names` are words that stand for values."""
    return (
        stat.Panel()
        .mappings(_words(names) if names else [])
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(limits)
        .color_mode(common_model.BigValueColorMode.BACKGROUND)
        .graph_mode(common_model.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(4)
        .span(width)
        .with_target(prometheus.Dataquery().ref_id(_ref(0)).expr(expression).instant())
    )


def lines(
    title: str,
    queries: Sequence[Query],
    says: str,
    *,
    unit: str = "short",
    width: int = 12,
    height: int = 8,
    stacked: bool = False,
    least: float | None = None,
) -> timeseries.Panel:
    """Curves over time, with a table of the last and highest values beneath."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .height(height)
        .span(width)
        .line_width(1)
        .fill_opacity(30 if stacked else 5)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_model.LegendDisplayMode.TABLE)
            .placement(common_model.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    if least is not None:
        panel = panel.min(least)
    for index, (expression, legend) in enumerate(queries):
        query = prometheus.Dataquery().ref_id(_ref(index)).expr(expression).legend_format(legend)
        panel = panel.with_target(query.range().exemplar(True))
    return panel


def timeline(
    title: str, expression: str, legend: str, says: str, names: Sequence[tuple[int, str, str]], *, width: int = 24
) -> statetimeline.Panel:
    """Bands of colour over time, one row per series; `names` are value, word and colour."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .mappings(_words(names))
        .thresholds(steps((None, FINE)))
        .merge_values(True)
        .show_value(common_model.VisibilityMode.NEVER)
        .height(7)
        .span(width)
        .with_target(prometheus.Dataquery().ref_id(_ref(0)).expr(expression).legend_format(legend).range())
    )


def rows(
    title: str,
    queries: Sequence[Query],
    says: str,
    *,
    by: str,
    hide: Sequence[str] = (),
    units: Mapping[str, str] = MappingProxyType({}),
    words: Mapping[str, Sequence[tuple[int, str, str]]] = MappingProxyType({}),
    width: int = 24,
    height: int = 8,
) -> table.Panel:
    """A table with a row per value of label `by` and a column per query (its legend).

    `units` and `words` are of columns: how their numbers are written, or what stands for them, in colour.
    """
    panel = table.Panel().title(title).description(says).datasource(SOURCE).height(height).span(width)
    names: dict[str, str] = {}
    for index, (expression, legend) in enumerate(queries):
        ref = _ref(index)
        names[f"Value #{ref}" if len(queries) > 1 else "Value"] = legend
        panel = panel.with_target(
            prometheus.Dataquery().expr(expression).format(PromQueryFormat.TABLE).instant().ref_id(ref)
        )
    if len(queries) > 1:
        panel = panel.with_transformation(
            model.DataTransformerConfig(id_val="joinByField", options={"byField": by, "mode": "outer"})
        )
    for column, unit in units.items():
        panel = panel.override_by_name(column, [model.DynamicConfigValue(id_val="unit", value=unit)])
    for column, names_of in words.items():
        coloured = {"type": "color-text"}
        panel = panel.override_by_name(
            column,
            [
                model.DynamicConfigValue(id_val="mappings", value=_words(names_of)),
                model.DynamicConfigValue(id_val="custom.cellOptions", value=coloured),
            ],
        )
    unwanted = {name: True for name in ("Time", "__name__", "job", *hide)}
    return panel.with_transformation(
        model.DataTransformerConfig(id_val="organize", options={"excludeByName": unwanted, "renameByName": names})
    )


def bars(
    title: str,
    expression: str,
    legend: str,
    says: str,
    *,
    unit: str,
    limits: build.ThresholdsConfig,
    width: int = 12,
    most: float | None = None,
) -> bargauge.Panel:
    """A bar per series, of its last value; a bar of `most` is full, or that of the highest."""
    panel = bargauge.Panel() if most is None else bargauge.Panel().max(most)
    return (
        panel.title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .thresholds(limits)
        .orientation(common_model.VizOrientation.HORIZONTAL)
        .display_mode(common_model.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(8)
        .span(width)
        .with_target(prometheus.Dataquery().ref_id(_ref(0)).expr(expression).legend_format(legend).instant())
    )


def board(title: str, uid: str, says: str, *, per: Literal["fleet", "gateway", "machine"]) -> build.Dashboard:
    """An empty dashboard with the variables that its panels are filtered by, and links to its siblings."""
    start = (
        build.Dashboard(title)
        .uid(uid)
        .description(says)
        .tags(["edge-agent"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            build.DashboardLink("Machine sound")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["edge-agent"])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            _choice("instance", "Gateway", "label_values(edge_agent_build_info, instance)", many=per != "gateway")
        )
    )
    if per == "machine":
        start = start.with_variable(
            _choice(
                "machine",
                "Machine",
                'label_values(edge_agent_windows_total{instance=~"$instance"}, machine)',
                many=False,
            )
        )
    return start


def _choice(name: str, label: str, query: str, *, many: bool) -> build.QueryVariable:
    variable = build.QueryVariable(name).label(label).datasource(SOURCE).query(query)
    variable = variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True) if many else variable


def _words(names: Sequence[tuple[int, str, str]]) -> list[model.ValueMapping]:
    return [
        model.ValueMap(
            options={
                str(value): model.ValueMappingResult(text=word, color=colour, index=value)
                for value, word, colour in names
            }
        )
    ]


def _ref(index: int) -> str:
    """Name of a query within its panel."""
    return chr(ord("A") + index)
