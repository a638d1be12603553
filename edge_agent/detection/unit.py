"""Directions of vectors."""

import numpy as np
from numpy.typing import NDArray


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows `[n, size]` scaled to length one; a row of zeros stays."""
    if not rows.size:
        return rows
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(largest > 0, largest, 1.0)  # first, lest the squares of huge values overflow
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1.0), dtype=np.float32)
