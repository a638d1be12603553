"""Made-up machines, each a direction of its own."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.likeness import Likeness

SIZE = 16
LABELS = 3


def likeness(direction: int, *, limit: float, logit_peaks: tuple[float, ...] = (0.0,) * LABELS) -> Likeness:
    """A machine whose normal sound is one point."""
    bank = np.rint(127 * np.eye(SIZE)[[direction]]).astype(np.int8)
    return Likeness(bank, np.zeros(1, np.int32), np.zeros(1, np.float32), np.array(logit_peaks, np.float32), limit)


def toward(direction: int, distance: float, towards: int = SIZE - 1) -> NDArray[np.float32]:
    """Three patches at this distance from a direction, leaning to another."""
    cosine = 1.0 - distance
    row = cosine * np.eye(SIZE)[direction] + np.sqrt(1.0 - cosine**2) * np.eye(SIZE)[towards]
    return np.tile(row, (3, 1)).astype(np.float32)
