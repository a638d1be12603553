"""The report's pictures."""

from collections.abc import Sequence

import numpy as np

from training_hub.evaluation import svg
from training_hub.evaluation.metrics import auc, roc
from training_hub.evaluation.report import CalibrationPoint, Confusion, Example, Report, ScatterPoint, ScoreSample
from training_hub.evaluation.svg import COLOURS, Axes, Series

_ROC_SYSTEMS = ("ours", "ours_generic", "lw_shared", "lw_own", "autoencoder", "peer_ae_int8", "knn_emb", "loudness")
_BINS = 30
_NORMAL, _ANOMALOUS = COLOURS[0], COLOURS[1]


def roc_charts(report: Report) -> list[str]:
    """One chart per case and machine, each system a line; the first draw."""
    charts = []
    for key in dict.fromkeys((s.protocol, s.case, s.machine) for s in report.samples):
        chosen = [s for s in report.samples if (s.protocol, s.case, s.machine) == key and s.system in _ROC_SYSTEMS]
        chosen = [sample for sample in chosen if sample.normal and sample.anomalous]
        if chosen:
            axes = Axes(f"{key[2]}, {key[1]}", "false-positive rate", "true-positive rate", (0.0, 1.0), (0.0, 1.0))
            charts.append(svg.lines(axes, [_roc_series(sample) for sample in chosen], diagonal=True))
    return charts


def _roc_series(sample: ScoreSample) -> Series:
    scores = np.array([*sample.normal, *sample.anomalous])
    anomalous = np.arange(len(scores)) >= len(sample.normal)
    fpr, tpr = roc(anomalous, scores)
    colour = COLOURS[_ROC_SYSTEMS.index(sample.system) % len(COLOURS)]
    return Series(f"{sample.system} {auc(anomalous, scores):.3f}", fpr.tolist(), tpr.tolist(), colour)


def histograms(report: Report) -> list[str]:
    """Scores of the agent, normal beside anomalous."""
    charts = []
    for sample in report.samples:
        if sample.system != "ours" or not sample.normal or not sample.anomalous:
            continue
        values = np.array([*sample.normal, *sample.anomalous])
        top = max(float(np.quantile(values, 0.95)), 1.0)
        edges = np.linspace(min(0.0, float(values.min())), top, _BINS + 1)
        middle = ((edges[:-1] + edges[1:]) / 2).tolist()
        series = []
        for label, scores, colour in (
            ("normal", sample.normal, _NORMAL),
            ("anomalous", sample.anomalous, _ANOMALOUS),
        ):
            counts, _ = np.histogram(np.clip(scores, edges[0], top), edges)
            series.append(Series(label, middle, (counts / len(scores)).tolist(), colour))
        highest = max(max(item.y) for item in series)
        title = f"{sample.machine}, {sample.case}"
        axes = Axes(title, "score, -log10 p (last bar: and above)", "share", (float(edges[0]), top), (0.0, highest))
        charts.append(svg.bars(axes, series, float(edges[1] - edges[0])))
    return charts


def calibration_chart(found: Sequence[CalibrationPoint]) -> str:
    """Nominal against realised, all machines pooled; logarithmic."""
    pooled = [point for point in found if point.machine == "all"]
    if not pooled:
        return ""
    series = []
    for colour, system in zip(COLOURS, dict.fromkeys(point.system for point in pooled), strict=False):
        chosen = sorted((point for point in pooled if point.system == system), key=lambda point: point.nominal)
        x = [float(np.log10(point.nominal)) for point in chosen]
        y = [float(np.log10(max(point.realised, 0.5 / point.clips))) for point in chosen]
        series.append(Series(system, x, y, colour))
    axes = Axes(
        "false alarms promised and made", "log10 of the nominal rate", "log10 of the realised rate",
        (-2.2, 0.0), (-3.0, 0.0), width=460, height=340,
    )  # fmt: skip
    return svg.lines(axes, [Series("as promised", [-2.2, 0.0], [-2.2, 0.0], "#999999"), *series], marks=True)


def scatter_chart(found: Sequence[ScatterPoint]) -> str:
    """Embeddings on two principal components; anomalous ones hollow."""
    if not found:
        return ""
    series = []
    labels = list(dict.fromkeys(point.label for point in found))
    for index, label in enumerate(labels):
        colour = COLOURS[index % len(COLOURS)]
        for anomalous in (False, True):
            chosen = [point for point in found if point.label == label and point.anomalous == anomalous]
            if chosen:
                name = f"{label}, anomalous" if anomalous else label
                x, y = [point.x for point in chosen], [point.y for point in chosen]
                series.append(Series(name, x, y, colour, hollow=anomalous))
    reach = max(abs(value) for point in found for value in (point.x, point.y)) * 1.05
    axes = Axes(
        "embeddings", "first principal component", "second", (-reach, reach), (-reach, reach), width=560, height=460
    )
    return svg.points(axes, series)


def confusion_table(found: Confusion) -> str:
    """A table whose cells are as dark as their share."""
    head = "".join(f"<th>{svg.escape(said)}</th>" for said in found.said)
    rows = []
    for heard, shares, clips in zip(found.heard, found.shares, found.clips, strict=True):
        cells = "".join(
            f'<td style="background:rgba(0,114,178,{share:.2f});color:{"#fff" if share > 0.5 else "inherit"}">'
            f"{share:.2f}</td>"
            if share
            else "<td></td>"
            for share in shares
        )
        rows.append(f"<tr><th>{svg.escape(heard)} ({clips})</th>{cells}</tr>")
    return f'<div class="wide"><table class="matrix"><tr><th>heard \\ said</th>{head}</tr>{"".join(rows)}</table></div>'


def example_figure(example: Example) -> str:
    """Spectrogram above, signed contributions of third octaves below."""
    picture = (
        f'<img alt="spectrogram of {svg.escape(example.title)}" width="400" height="180" '
        f'src="data:image/png;base64,{example.png_base64}">'
    )
    caption = f"{example.title}: score {example.score:.1f}, threshold {example.threshold:.1f}"
    if not example.bands:
        return f"<figure>{picture}<figcaption>{svg.escape(caption)}</figcaption></figure>"
    x = [float(np.log10(band.centre_hz)) for band in example.bands]
    y = [band.contribution for band in example.bands]
    reach = max(1e-6, *(abs(value) for value in y))
    axes = Axes(
        "what speaks for it, by third octave", "log10 of the centre, Hz", "contribution",
        (min(x) - 0.1, max(x) + 0.1), (min(0.0, *y) * 1.1, reach * 1.1), width=400, height=200,
    )  # fmt: skip
    chart = svg.bars(axes, [Series("", x, y, _ANOMALOUS)], 0.08)
    return f"<figure>{picture}<figcaption>{svg.escape(caption)}</figcaption>{chart}</figure>"
