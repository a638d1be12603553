"""Small charts as inline SVG: no library in the page, no request from it."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

# Okabe and Ito's colours: told apart by colour-blind readers
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 26, 40


@dataclass(frozen=True)
class Series:
    """One line or cloud of points."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    hollow: bool = False


@dataclass(frozen=True)
class Axes:
    """What stands at the edges, and the range that is shown."""

    title: str
    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: int = 360
    height: int = 280

    def x(self, value: float) -> float:
        """Place of a value, pixels."""
        low, high = self.x_range
        inner = self.width - _LEFT - _RIGHT
        return _LEFT + inner * (min(max(value, low), high) - low) / ((high - low) or 1.0)

    def y(self, value: float) -> float:
        """Place of a value, pixels."""
        low, high = self.y_range
        inner = self.height - _TOP - _BOTTOM
        return self.height - _BOTTOM - inner * (min(max(value, low), high) - low) / ((high - low) or 1.0)

    def frame(self, content: str) -> str:
        """The whole picture."""
        middle = (_LEFT + self.width - _RIGHT) / 2
        parts = [
            f'<svg viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}" role="img">',
            f"<title>{html.escape(self.title)}</title>",
            f'<text x="{middle}" y="16" class="t">{html.escape(self.title)}</text>',
            f'<rect x="{_LEFT}" y="{_TOP}" width="{self.width - _LEFT - _RIGHT}" '
            f'height="{self.height - _TOP - _BOTTOM}" class="f"/>',
        ]
        for value in _ticks(*self.x_range):
            place = self.x(value)
            parts.append(f'<text x="{place:.1f}" y="{self.height - _BOTTOM + 14}" class="m">{value:g}</text>')
            parts.append(f'<path d="M{place:.1f} {_TOP}V{self.height - _BOTTOM}" class="g"/>')
        for value in _ticks(*self.y_range):
            place = self.y(value)
            parts.append(f'<text x="{_LEFT - 5}" y="{place + 4:.1f}" class="e">{value:g}</text>')
            parts.append(f'<path d="M{_LEFT} {place:.1f}H{self.width - _RIGHT}" class="g"/>')
        parts += [
            content,
            f'<text x="{middle}" y="{self.height - 8}" class="m">{html.escape(self.x_label)}</text>',
            f'<text x="12" y="{self.height / 2}" class="m" transform="rotate(-90 12 {self.height / 2})">'
            f"{html.escape(self.y_label)}</text>",
            "</svg>",
        ]
        return "".join(parts)


def escape(text: str) -> str:
    """Text that a page may hold."""
    return html.escape(text)


def lines(axes: Axes, series: Sequence[Series], *, diagonal: bool = False, marks: bool = False) -> str:
    """A line chart with its legend below."""
    parts = []
    if diagonal:
        low, high = axes.x_range
        parts.append(f'<path d="M{axes.x(low)} {axes.y(low)}L{axes.x(high)} {axes.y(high)}" class="d"/>')
    for item in series:
        points = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in zip(item.x, item.y, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{item.colour}" stroke-width="1.8"/>')
        if marks:
            parts += [
                f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="2.6" fill="{item.colour}"/>'
                for x, y in zip(item.x, item.y, strict=True)
            ]
    return _figure(axes.frame("".join(parts)), series)


def points(axes: Axes, series: Sequence[Series]) -> str:
    """A scatter plot with its legend below."""
    parts = []
    for item in series:
        style = f'fill="none" stroke="{item.colour}"' if item.hollow else f'fill="{item.colour}" fill-opacity=".6"'
        parts += [
            f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3" {style}/>'
            for x, y in zip(item.x, item.y, strict=True)
        ]
    return _figure(axes.frame("".join(parts)), series)


def bars(axes: Axes, series: Sequence[Series], width: float) -> str:
    """Histograms that lie over each other; `width` of a bar in units of x."""
    parts = []
    for item in series:
        for x, y in zip(item.x, item.y, strict=True):
            top, bottom = sorted((axes.y(y), axes.y(0.0)))
            left, right = axes.x(x - width / 2), axes.x(x + width / 2)
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(0.5, right - left):.1f}" '
                f'height="{bottom - top:.1f}" fill="{item.colour}" fill-opacity=".55"/>'
            )
    return _figure(axes.frame("".join(parts)), series)


def _figure(picture: str, series: Sequence[Series]) -> str:
    legend = "".join(
        f'<span><i style="background:{item.colour}"></i>{html.escape(item.label)}</span>'
        for item in series
        if item.label
    )
    return f'<figure>{picture}<figcaption class="legend">{legend}</figcaption></figure>'


def _ticks(low: float, high: float) -> list[float]:
    """Four to ten round values within a range.

    >>> _ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = (high - low) or 1.0
    decade = 10.0 ** math.floor(math.log10(span / 4))
    step = next(factor * decade for factor in (10.0, 5.0, 2.0, 1.0) if span / (factor * decade) >= 4)
    first = math.ceil(low / step - 1e-9)
    return [round((first + i) * step, 10) for i in range(11) if (first + i) * step <= high + 1e-9 * span]
