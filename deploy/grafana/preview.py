"""Draws a dashboard from its own JSON and a Prometheus's answers, as SVG: a picture for the docs where no Grafana runs.

Layout, units and colours follow Grafana closely enough to show what a panel says; it is not Grafana's own picture. Each
picture says which dashboard it shows, so that a test finds one that is out of date.
"""

import hashlib
import html
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_COLUMN, _ROW, _GAP = 58, 34, 6
_PALETTE = (
    "#73bf69",
    "#f2cc0c",
    "#8ab8ff",
    "#ff780a",
    "#f2495c",
    "#b877d9",
    "#5794f2",
    "#ff9830",
    "#ca95e5",
    "#fade2a",
)
_NAMED = {
    "green": "#56a64b", "orange": "#ff9830", "red": "#e02f44", "yellow": "#f2cc0c", "blue": "#3274d9",
    "purple": "#a352cc", "light-red": "#ff7383", "light-blue": "#8ab8ff", "text": "#8e8e99",
}  # fmt: skip
_LEGENDS = 6


class Server(Protocol):
    """What answers the queries."""

    def query(self, expression: str) -> Sequence[Any]:
        """Series with `labels` and `value`."""
        ...

    def query_range(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """A matrix as Prometheus's HTTP interface says it."""
        ...


@dataclass(frozen=True)
class View:
    """What is looked at: the server, the variables' values, and how far back."""

    server: Server
    variables: Mapping[str, str]
    range_s: float

    def fill(self, expression: str) -> str:
        """The expression with the variables' values in it."""
        for name, value in self.variables.items():
            expression = expression.replace(f"${name}", value)
        return expression

    def matrix(self, target: Mapping[str, Any]) -> list[tuple[str, list[tuple[float, float]]]]:
        """Legend and points of every series of one query."""
        end_s = time.time()
        answer = self.server.query_range(self.fill(target["expr"]), end_s - self.range_s, end_s, self.range_s / 120)
        return [
            (
                _legend(target.get("legendFormat", ""), series["metric"]),
                [(float(at), float(value)) for at, value in series["values"]],
            )
            for series in answer
        ]


def mark(dashboard: Mapping[str, Any]) -> str:
    """What a picture of this dashboard holds, and one of another does not."""
    return f"<!-- dashboard {hashlib.sha256(json.dumps(dashboard, sort_keys=True).encode()).hexdigest()} -->"


def draw(dashboard: Mapping[str, Any], view: View) -> str:
    """The whole dashboard as one SVG document."""
    panels = dashboard["panels"]
    width = 24 * _COLUMN + 2 * _GAP
    height = 44 + _ROW * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="Inter, Helvetica, Arial, sans-serif">',
        mark(dashboard),
        f'<rect width="{width}" height="{height}" fill="#111217"/>',
        f'<text x="14" y="28" fill="#d8d9da" font-size="18">{html.escape(dashboard["title"])}</text>',
    ]
    for panel in panels:
        place = panel["gridPos"]
        box = _Box(
            _GAP + place["x"] * _COLUMN, 40 + place["y"] * _ROW, place["w"] * _COLUMN - _GAP, place["h"] * _ROW - _GAP
        )
        if panel["type"] == "row":
            parts.append(_text(box.x + 6, box.y + 20, f"▾ {panel['title']}", 14, "#d8d9da"))
            continue
        parts.append(
            f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="3" '
            'fill="#181b1f" stroke="#2c3235"/>'
        )
        parts.append(_PANELS[panel["type"]](panel, view, box))
        ink = "#ffffff" if panel["type"] == "stat" else "#ccccdc"
        parts.append(_text(box.x + 8, box.y + 17, panel["title"], 12, ink, most=box.width // 6))
    return "\n".join([*parts, "</svg>\n"])


@dataclass(frozen=True)
class _Box:
    x: int
    y: int
    width: int
    height: int


def _stat(panel: Mapping[str, Any], view: View, box: _Box) -> str:
    answer = view.server.query(view.fill(panel["targets"][0]["expr"]))
    field = panel["fieldConfig"]["defaults"]
    if not answer:
        return _text(box.x + box.width / 2, box.y + box.height / 2 + 12, "No data", 22, "#8e8e99", middle=True)
    value = answer[0].value
    colour = _colour(field["thresholds"]["steps"], value)
    return f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="3" fill="{colour}"/>' + _text(
        box.x + box.width / 2,
        box.y + box.height / 2 + 14,
        _said(field.get("mappings") or [], value)[0] or _unit(value, field["unit"]),
        26,
        "#fff",
        middle=True,
    )


def _timeseries(panel: Mapping[str, Any], view: View, box: _Box) -> str:
    field = panel["fieldConfig"]["defaults"]
    series = [item for target in panel["targets"] for item in view.matrix(target)]
    values = [value for _, points in series for _, value in points if math.isfinite(value)]
    if not values:
        return _text(box.x + box.width / 2, box.y + box.height / 2, "No data", 18, "#8e8e99", middle=True)
    stacked = field.get("custom", {}).get("stacking", {}).get("mode") == "normal"
    own = series
    if stacked:
        series = _stack(series)
        values = [value for _, points in series for _, value in points if math.isfinite(value)]
    low, high = min(values), max(values)
    low = min(low, field["min"]) if "min" in field else low
    low = min(0.0, low) if stacked else low
    high += (high - low or abs(high) or 1.0) * 0.05
    left, top = box.x + 58, box.y + 28
    right, bottom = box.x + box.width - 10, box.y + box.height - 26 - 15 * math.ceil(min(_LEGENDS, len(series)) / 2)
    start_s = time.time() - view.range_s

    def x(at_s: float) -> float:
        return left + (right - left) * min(1.0, max(0.0, (at_s - start_s) / view.range_s))

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / ((high - low) or 1.0)

    parts = []
    for tick in range(4):
        value = low + (high - low) * tick / 3
        parts.append(f'<path d="M{left} {y(value):.1f}H{right}" stroke="#2c3235"/>')
        parts.append(_text(left - 6, y(value) + 4, _unit(value, field["unit"]), 10, "#8e8e99", end=True))
    for index, (_, points) in enumerate(series):
        path, pen = [], "M"
        for at, value in points:
            if math.isfinite(value):
                path.append(f"{pen}{x(at):.1f} {y(value):.1f}")
                pen = "L"
            else:
                pen = "M"
        parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{_PALETTE[index % 10]}" stroke-width="1.4"/>')
    for share in range(4):
        ago_s = view.range_s * (3 - share) / 3
        said = f"-{ago_s / 60:.3g} min" if ago_s else "now"
        parts.append(_text(left + (right - left) * share / 3, bottom + 14, said, 10, "#8e8e99", middle=True))
    half = (right - left) / 2
    for index, (name, points) in enumerate(own[:_LEGENDS]):
        last, most = (
            _unit(value, field["unit"])
            for value in (points[-1][1], max((value for _, value in points if math.isfinite(value)), default=math.nan))
        )
        more = f"   (and {len(own) - _LEGENDS} more)" if index == _LEGENDS - 1 and len(own) > _LEGENDS else ""
        said = f"{name}   last {last}   max {most}{more}"
        line, column = bottom + 32 + 15 * (index // 2), left + half * (index % 2)
        parts.append(f'<rect x="{column}" y="{line - 6}" width="12" height="3" fill="{_PALETTE[index % 10]}"/>')
        parts.append(_text(column + 18, line, said, 10, "#ccccdc", most=int(half // 5.6)))
    return "".join(parts)


def _timeline(panel: Mapping[str, Any], view: View, box: _Box) -> str:
    names = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    series = view.matrix(panel["targets"][0])
    left, top, right = box.x + 190, box.y + 28, box.x + box.width - 10
    each = min(34.0, (box.height - 60) / max(1, len(series)))
    start_s, parts = time.time() - view.range_s, []
    for index, (name, points) in enumerate(series):
        parts.append(_text(left - 8, top + each * index + each / 2 + 4, name, 11, "#ccccdc", end=True, most=28))
        wide = (right - left) / max(1, len(points) - 1) + 0.6
        for at, value in points:
            at_x = left + (right - left) * min(1.0, max(0.0, (at - start_s) / view.range_s))
            colour = _NAMED.get(names.get(str(int(value)), {}).get("color", "text"), "#8e8e99")
            parts.append(
                f'<rect x="{at_x - wide:.1f}" y="{top + each * index:.1f}" width="{wide:.1f}" '
                f'height="{each * 0.8:.1f}" fill="{colour}"/>'
            )
    place = left
    for option in names.values():
        parts.append(
            f'<rect x="{place}" y="{box.y + box.height - 18}" width="10" height="10" fill="{_NAMED[option["color"]]}"/>'
        )
        parts.append(_text(place + 14, box.y + box.height - 9, option["text"], 10, "#ccccdc"))
        place += 24 + 6 * len(option["text"])
    return "".join(parts)


def _bars(panel: Mapping[str, Any], view: View, box: _Box) -> str:
    field, target = panel["fieldConfig"]["defaults"], panel["targets"][0]
    series = [item for item in view.server.query(view.fill(target["expr"])) if math.isfinite(item.value)]
    most = max([field.get("max") or max((item.value for item in series), default=0.0), 1e-9])
    left, each = box.x + 190, min(34.0, (box.height - 40) / max(1, len(series)))
    parts = []
    for index, item in enumerate(series):
        top = box.y + 30 + each * index
        wide = (box.width - 280) * item.value / most
        colour = _colour(field["thresholds"]["steps"], item.value)
        name = _legend(target.get("legendFormat", ""), item.labels)
        parts.append(_text(left - 8, top + each / 2, name, 11, "#ccccdc", end=True, most=28))
        parts.append(
            f'<rect x="{left}" y="{top}" width="{max(1.0, wide):.1f}" height="{each * 0.7:.1f}" fill="{colour}"/>'
        )
        parts.append(_text(left + wide + 8, top + each / 2, _unit(item.value, field["unit"]), 12, colour))
    return "".join(parts) or _text(box.x + box.width / 2, box.y + box.height / 2, "No data", 18, "#8e8e99", middle=True)


def _table(panel: Mapping[str, Any], view: View, box: _Box) -> str:
    change = {item["id"]: item["options"] for item in panel["transformations"]}
    by = change["joinByField"]["byField"]
    hidden, names = change["organize"]["excludeByName"], change["organize"]["renameByName"]
    overrides = {
        item["matcher"]["options"]: {each["id"]: each["value"] for each in item["properties"]}
        for item in panel["fieldConfig"].get("overrides") or []
    }
    colours: dict[tuple[str, str], str] = {}
    rows: dict[str, dict[str, str]] = {}
    for target in panel["targets"]:
        for item in view.server.query(view.fill(target["expr"])):
            row = rows.setdefault(item.labels.get(by, ""), {by: item.labels.get(by, "")})
            row.update({key: value for key, value in item.labels.items() if key not in hidden})
            column = f"Value #{target['refId']}"
            if column in hidden:
                continue
            column = names.get(column, column)
            change = overrides.get(column, {})
            word, colour = _said(change.get("mappings", []), item.value)
            row[column] = word or _unit(item.value, change.get("unit", "short"))
            colours[item.labels.get(by, ""), column] = colour
    wanted = [by, *(names.get(f"Value #{target['refId']}", "") for target in panel["targets"])]
    there = dict.fromkeys(column for row in rows.values() for column in row)
    columns = sorted(there, key=lambda column: wanted.index(column) if column in wanted else len(wanted))
    wide = (box.width - 20) / (len(columns) + 1)  # the first, which names the row, has room for two
    parts = []
    for line, row in enumerate([{column: column for column in columns}, *rows.values()]):
        colour = "#6e9fff" if line == 0 else "#ccccdc"
        for index, column in enumerate(columns):
            said = row.get(column, "")
            ink = colours.get((row.get(by, ""), column), colour) if line else colour
            at_x, room = box.x + 12 + wide * (index + (index > 0)), wide * (1 + (index == 0))
            parts.append(_text(at_x, box.y + 42 + 22 * line, said, 11, ink, most=int(room // 6.5)))
    return "".join(parts)


_PANELS: dict[str, Callable[[Mapping[str, Any], View, _Box], str]] = {
    "stat": _stat, "timeseries": _timeseries, "state-timeline": _timeline, "bargauge": _bars, "table": _table,
}  # fmt: skip


def _stack(series: list[tuple[str, list[tuple[float, float]]]]) -> list[tuple[str, list[tuple[float, float]]]]:
    """Each series on top of those before it."""
    below: dict[float, float] = {}
    stacked = []
    for name, points in series:
        raised = []
        for at, value in points:
            below[at] = below.get(at, 0.0) + (value if math.isfinite(value) else 0.0)
            raised.append((at, below[at]))
        stacked.append((name, raised))
    return stacked


def _legend(pattern: str, labels: Mapping[str, str]) -> str:
    """Grafana's legend: `{{label}}` stands for its value.

    >>> _legend("{{source}} lost: {{reason}}", {"source": "mic", "reason": "overrun"})
    'mic lost: overrun'
    """
    for name, value in labels.items():
        pattern = pattern.replace("{{" + name + "}}", value)
    return pattern


def _said(mappings: Sequence[Mapping[str, Any]], value: float) -> tuple[str, str]:
    """The word that stands for a value, and its colour; an empty word where none does."""
    for mapping in mappings:
        if not math.isnan(value) and (told := mapping["options"].get(str(int(value)))) is not None:
            return told["text"], _NAMED[told["color"]]
    return "", "#ccccdc"


def _unit(value: float, unit: str) -> str:
    """A number as Grafana writes it in this unit.

    >>> _unit(0.0123, "s"), _unit(0.5, "percentunit"), _unit(16000, "hertz"), _unit(2_500_000, "bytes")
    ('12.3 ms', '50%', '16 kHz', '2.5 MB')
    """
    if not math.isfinite(value):
        return "-"
    if unit == "dateTimeFromNow":
        return f"{(time.time() - value / 1000) / 60:.0f} min ago"
    if unit == "percentunit":
        return f"{100 * value:.3g}%"
    if unit == "s" and 0 < abs(value) < 1:
        return f"{1000 * value:.3g} ms"
    ends = {"s": " s", "hertz": "Hz", "bytes": "B", "dB": " dB"}
    end = ends.get(unit, "")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size and unit != "s":
            return f"{value / size:.3g} {letter}{end.strip()}".rstrip()
    return f"{value:.3g}{' ' + end.strip() if end else ''}"


def _colour(steps: Sequence[Mapping[str, Any]], value: float) -> str:
    """Colour of the last threshold at or below a value."""
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return _NAMED[reached[-1]]


def _text(
    x: float,
    y: float,
    said: str,
    size: int,
    colour: str,
    *,
    middle: bool = False,
    end: bool = False,
    most: int | None = None,
) -> str:
    anchor = ' text-anchor="middle"' if middle else ' text-anchor="end"' if end else ""
    if most is not None and len(said) > most:
        said = said[: max(1, most - 1)] + "…"
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{anchor}>{html.escape(said)}</text>'
