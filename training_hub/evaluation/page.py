"""The report as one HTML file that asks nobody for anything."""

from collections.abc import Sequence
from pathlib import Path

from training_hub.evaluation import charts
from training_hub.evaluation.report import Report, Row, TargetLine
from training_hub.evaluation.svg import escape

PAGE_NAME = "report.html"

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5a6470;--line:#d8dee4;--paper:#fff;--panel:#f6f8fa}
@media(prefers-color-scheme:dark){
:root{--ink:#e6edf3;--soft:#9aa5b1;--line:#30363d;--paper:#0d1117;--panel:#161b22}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1180px;
margin:0 auto;padding:24px}
h1{font-size:24px;margin:0 0 4px}
h2{font-size:18px;margin:36px 0 8px;border-bottom:1px solid var(--line);padding-bottom:4px}
p.sub,figcaption,.note{color:var(--soft);font-size:13px}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:4px 9px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600}td.n{text-align:right;white-space:nowrap}
.met,.short,.none{white-space:nowrap}.met{color:#1a7f37;font-weight:600}.short{color:#cf222e;font-weight:600}.none{color:var(--soft);font-weight:600}
.charts{display:flex;flex-wrap:wrap;gap:16px}
figure{margin:0;background:var(--panel);padding:8px;border-radius:6px}
.legend span{display:inline-block;margin-right:10px}
.legend i{display:inline-block;width:10px;height:10px;margin-right:4px}
figure figure{padding:0}figcaption{max-width:420px}img{image-rendering:pixelated;display:block}
svg text{fill:var(--ink);font-size:11px}svg .t{font-size:12px;font-weight:600;text-anchor:middle}
svg .m{text-anchor:middle}svg .e{text-anchor:end}svg .f{fill:none;stroke:var(--line)}
svg .g{stroke:var(--line);stroke-width:.5}svg .d{stroke:var(--soft);stroke-dasharray:4 4;fill:none}
.wide{overflow-x:auto}.matrix td{text-align:center;min-width:38px}
details{margin:8px 0}summary{cursor:pointer;font-weight:600}
tr.ours td:first-child{box-shadow:inset 3px 0 #0072b2}pre{white-space:pre-wrap;background:var(--panel);padding:12px}
"""


def write_page(report: Report, directory: Path) -> Path:
    """Write `report.html`."""
    path = directory / PAGE_NAME
    path.write_text(render(report), encoding="utf-8")
    return path


def render(report: Report) -> str:
    """The whole page."""
    kind = "quick run, not to be quoted" if report.quick else "full run"
    title = f"Evaluation of {report.bundle.name} {report.bundle.version}"
    data = report.data
    sub = (
        f"{kind} on {data.name}: {data.machines} machines, {data.normal_clips} normal and {data.anomalous_clips} "
        f"anomalous clips, {data.background_clips} backgrounds; seed {report.seed}, {report.seconds:.0f} s, agent "
        f"{report.agent_version}, bundle {report.bundle.sha256[:12]}"
    )
    sections = [
        _section("What must be shown", _targets(report.targets)),
        _section("Receiver operating characteristics", _gallery(charts.roc_charts(report))),
        _section("Scores", _gallery(charts.histograms(report))),
        _section("Calibration", charts.calibration_chart(report.calibration)),
        _section("Identity", charts.confusion_table(report.confusion) if report.confusion else ""),
        _section("Embeddings", charts.scatter_chart(report.scatter)),
        _section("Examples", _gallery([charts.example_figure(example) for example in report.examples])),
        *(_section(f"Protocol: {name}", _protocol(report, name)) for name in report.protocols),
        _section("Systems", _systems(report)),
        _section("Left out", _skipped(report)),
        _section("What was tried", f"<pre>{escape(report.notes)}</pre>" if report.notes else ""),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="sub">{escape(sub)}</p>{"".join(sections)}</body></html>\n'
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _gallery(figures: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(figures)}</div>' if figures else ""


def _targets(lines: Sequence[TargetLine]) -> str:
    css = {"met": "met", "short": "short", "not measured": "none", "quick": "none"}
    rows = []
    for line in lines:
        found = "" if line.value is None else f"{line.value:.4f}"
        interval = "" if line.low is None or line.high is None else f"{line.low:.3f} to {line.high:.3f}"
        bound = f"{'at least' if line.at_least else 'at most'} {line.target:g}"
        note = f'<div class="note">{escape(line.note)}</div>' if line.note else ""
        rows.append(
            f"<tr><td>{escape(line.case)}{note}</td><td>{escape(line.figure)}</td><td>{bound}</td>"
            f'<td class="n">{found}</td><td class="n">{interval}</td>'
            f'<td class="{css[line.verdict]}">{line.verdict}</td><td>{escape(line.beside)}</td></tr>'
        )
    head = "<tr><th>case</th><th>figure</th><th>target</th><th>found</th><th>95 %</th><th></th><th>beside</th></tr>"
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _protocol(report: Report, name: str) -> str:
    rows = [row for row in report.rows if row.protocol == name]
    parts = []
    for case in dict.fromkeys(row.case for row in rows):
        chosen = [row for row in rows if row.case == case]
        parts.append(f"<details><summary>{escape(case)}</summary>{_rows(chosen)}</details>")
    return "".join(parts)


def _rows(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(figure.name for row in rows for figure in row.figures))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(_row(row, names) for row in rows)
    top = f"<tr><th>machine</th><th>system</th>{head}<th>clips</th><th></th></tr>"
    return f'<div class="wide"><table>{top}{body}</table></div>'


def _row(row: Row, names: Sequence[str]) -> str:
    found = {figure.name: figure for figure in row.figures}
    cells = []
    for name in names:
        figure = found.get(name)
        if figure is None:
            cells.append("<td></td>")
            continue
        interval = ""
        if figure.low is not None and figure.high is not None:
            interval = f'<div class="note">{figure.low:.3f} to {figure.high:.3f}</div>'
        cells.append(f'<td class="n">{figure.value:.3f}{interval}</td>')
    remarks = [row.note] if row.note else []
    if row.refused:
        remarks.append(f"commissioning refused {row.refused} draws")
    css = ' class="ours"' if row.system == "ours" else ""
    clips = f"{row.normal_clips} + {row.anomalous_clips}, {row.draws} draws"
    return (
        f"<tr{css}><td>{escape(row.machine_type)}/{escape(row.machine_id)}</td><td>{escape(row.system)}</td>"
        f'{"".join(cells)}<td class="note">{clips}</td><td class="note">{escape("; ".join(remarks))}</td></tr>'
    )


def _systems(report: Report) -> str:
    rows = "".join(
        f"<tr><td>{escape(s.name)}</td><td>{escape(s.title)}</td><td>{escape(s.family)}</td></tr>"
        for s in report.systems
    )
    return f"<table><tr><th>name</th><th>what it is</th><th>learns from</th></tr>{rows}</table>"


def _skipped(report: Report) -> str:
    rows = "".join(f"<tr><td>{escape(s.what)}</td><td>{escape(s.reason)}</td></tr>" for s in report.skipped)
    return f"<table>{rows}</table>" if rows else ""
