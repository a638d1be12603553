"""The figures as a picture for the documentation."""

from __future__ import annotations

import math
from html import escape

from benchmarks.speed.peers.judge import Figures

_WIDTH, _LEFT, _ROW, _TOP = 860, 290, 34, 64


def svg(figures: Figures, names: dict[str, str]) -> str:
    """Bars of processor time for ten seconds of sound, logarithmic, quickest first."""
    rows = sorted(figures.window_ms.items(), key=lambda item: item[1])
    low = 10.0 ** math.floor(math.log10(rows[0][1]))
    high = 10.0 ** math.ceil(math.log10(rows[-1][1]))
    span = _WIDTH - _LEFT - 110

    def x(value_ms: float) -> float:
        return _LEFT + span * math.log(value_ms / low) / math.log(high / low)

    height = _TOP + _ROW * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="14">',
        "<title>Processor time for ten seconds of sound</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        '<text x="16" y="26" font-size="17" font-weight="600">Processor time for ten seconds of sound, one core</text>',
        f'<text x="16" y="46" fill="#555">{escape(figures.cpu)}; medians of {figures.rounds} rounds in turn; '
        "logarithmic</text>",
    ]
    decade = low
    while decade <= high * 1.001:
        parts.append(
            f'<path d="M{x(decade):.0f} {_TOP - 6}V{height - 30}" stroke="#ddd"/>'
            f'<text x="{x(decade):.0f}" y="{height - 12}" text-anchor="middle" fill="#555">{decade:g} ms</text>'
        )
        decade *= 10.0
    for place, (name, value_ms) in enumerate(rows):
        y = _TOP + _ROW * place
        colour = "#0b7a75" if name == "edge-agent" else "#9bc9c6" if name == "kernels" else "#b0b0b0"
        ratio = figures.ratios.get(name)
        said = f"{value_ms:.3g} ms" + ("" if ratio is None or ratio < 1 else f", {ratio:.3g} times")
        parts.append(
            f'<text x="{_LEFT - 10}" y="{y + 19}" text-anchor="end">{escape(names.get(name, name))}</text>'
            f'<rect x="{_LEFT}" y="{y + 4}" width="{max(2.0, x(value_ms) - _LEFT):.0f}" height="{_ROW - 12}" '
            f'rx="2" fill="{colour}"/><text x="{x(value_ms) + 8:.0f}" y="{y + 19}">{said}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
