"""A window: its shape in the stream, and what was worked out of it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import WindowFeatures
from edge_agent.signal.level import LevelReading

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedWindow:
    """One window with all that detectors, identity and input health need.

    Attributes:
        index: Number of the window in its stream.
        start, stop: The stretch that the window covers, samples at the channel's native rate.
        next_start: Where the next window starts, native; the end for a recording's last window.
        start_s: Start since the stream's first sample, seconds.
        duration_s: Length, seconds.
        coverage: Share of the samples that were not lost, 0 to 1.
        features: Frames, embeddings and logits.
        level: Level and condition of the input; None where only log-mel frames exist.
        fault: What the model failed of, where it failed on this window; features are then without its results.
    """

    index: int
    start: int
    stop: int
    next_start: int
    start_s: float
    duration_s: float
    coverage: float
    features: WindowFeatures
    level: LevelReading | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class WindowShape:
    """Length of a window and distance between the starts of windows, seconds.

    A gap longer than `anew_after_s` ends the window under way; the next one starts behind the gap.
    """

    window_s: float = 10.0
    hop_s: float = 10.0
    anew_after_s: float = math.inf
