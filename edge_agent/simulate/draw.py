"""Draws what individuals differ in: ranges, resonances, colours, bearings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from edge_agent.simulate.bearing import Bearing
from edge_agent.simulate.components import Band, Colour, Mode
from edge_agent.simulate.kinds import FaultKind

_T = TypeVar("_T")


class Draw:
    """A generator with the distributions that physical quantities need."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def uniform(self, low: float, high: float) -> float:
        """Evenly between `low` and `high`."""
        return float(self._rng.uniform(low, high))

    def log_uniform(self, low: float, high: float) -> float:
        """Evenly over the logarithm: frequencies and time constants."""
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(self._rng.integers(low, high + 1))

    def choice(self, options: Sequence[_T]) -> _T:
        """One of `options`."""
        return options[self.integer(0, len(options) - 1)]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self._rng.random() < probability)

    def seed(self) -> int:
        """A seed for a response drawn elsewhere."""
        return self.integer(0, 2**31 - 1)

    def falling_db(self, count: int, step_low_db: float, step_high_db: float, scatter_db: float) -> tuple[float, ...]:
        """Levels of `count` harmonics that fall by an even step, each scattered about it."""
        step_db = self.uniform(step_low_db, step_high_db)
        return tuple(-step_db * k + self.uniform(-scatter_db, scatter_db) for k in range(count))

    def modes(self, low_hz: float, high_hz: float, count: tuple[int, int], q: tuple[float, float]) -> tuple[Mode, ...]:
        """Resonances between two frequencies."""
        frequencies_hz = sorted(self.log_uniform(low_hz, high_hz) for _ in range(self.integer(*count)))
        return tuple(Mode(f, self.log_uniform(*q), 10 ** (self.uniform(-15, 0) / 20)) for f in frequencies_hz)

    def colour(self, low_hz: float, high_hz: float, slope_db: tuple[float, float], scatter_db: float) -> Colour:
        """A hump with its peak between two frequencies, `slope_db` an octave on either side, and irregularities."""
        peak_hz = self.log_uniform(low_hz, high_hz)
        below_db, above_db = self.uniform(*slope_db), self.uniform(*slope_db)
        points = []
        for octave in np.arange(-5.5, 3.3, 0.5).tolist():
            frequency_hz = 1000 * 2**octave
            distance = math.log2(frequency_hz / peak_hz)
            level_db = -above_db * distance if distance > 0 else below_db * distance
            points.append((frequency_hz, level_db + self.uniform(-scatter_db, scatter_db)))
        return Colour(tuple(points))

    def bearing(self) -> Bearing:
        """A ball bearing of common proportions."""
        angle_rad = math.radians(self.choice((0.0, 0.0, 15.0, 25.0)))
        return Bearing(self.integer(7, 14), self.uniform(0.16, 0.3), angle_rad)

    def band(
        self,
        kind: FaultKind,
        octaves: tuple[float, float],
        modes: tuple[int, int] = (2, 4),
        q: tuple[float, float] = (8, 30),
    ) -> Band:
        """A band of this individual's own within the band of a fault kind, with resonances in its middle."""
        low_hz, high_hz = kind.band_hz
        width = min(self.uniform(*octaves), math.log2(high_hz / low_hz))
        bottom_hz = low_hz * 2 ** self.uniform(0, math.log2(high_hz / low_hz) - width)
        top_hz = bottom_hz * 2**width
        inner = self.modes(bottom_hz * 2 ** (width / 4), top_hz / 2 ** (width / 4), modes, q) if modes[1] else ()
        return Band(bottom_hz, top_hz, inner)
