"""Sessions: recordings cut from one stretch of time say less than as many recordings of different days."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics
from edge_agent.detection.detector import TrainingSet

FloatArray = NDArray[np.float64]

MOST_ALIKE = 0.9
_EXPECTED = 0.2
_EXPECTED_RECORDINGS = 5.0
"""Before anything was heard, sessions are expected to this degree, with the weight of so many recordings."""


def session_correlation(training: TrainingSet) -> float:
    """How much more neighbouring recordings resemble each other than any two do, 0 to 0.9.

    One less the ratio of mean squared distances of mean spectra, of neighbours to all (J. von Neumann, Annals of
    Mathematical Statistics 12, 1941, 367), shrunk towards 0.2. Recordings that were shuffled, or that come from many
    days, have about 0; those of a few sessions in a row 0.4 to 0.9.

    Args:
        training: Windows in order of time; what distinguishes operating states is no session's.
    """
    spectra = np.array([statistics.shape(window.log_mel_db) for window in training.windows])
    for state in np.unique(training.states):
        own = training.states == state
        spectra[own] -= spectra[own].mean(axis=0)
    numbers, counts = np.unique(training.recordings, return_counts=True)
    means = np.array([spectra[training.recordings == number].mean(axis=0) for number in numbers])
    n = len(counts)
    found = serial_correlation(means) if n > 2 else 0.0
    shrunk = (n * max(found, 0.0) + _EXPECTED_RECORDINGS * _EXPECTED) / (n + _EXPECTED_RECORDINGS)
    return float(min(shrunk, MOST_ALIKE))


def serial_correlation(rows: FloatArray) -> float:
    """Correlation of each row with the next, `[n, d]`, n at least 3; 0 where all rows are alike.

    >>> round(serial_correlation(np.array([[0.0], [0.1], [5.0], [5.1]])), 2)
    0.52
    """
    centred = rows - rows.mean(axis=0)
    n = len(rows)
    every_pair = 2.0 * n / (n - 1) * float((centred**2).sum()) / n
    neighbours = float((np.diff(rows, axis=0) ** 2).sum(axis=1).mean())
    return 1.0 - neighbours / every_pair if every_pair > 0 else 0.0


def independent_recordings(recordings: int, correlation: float) -> float:
    """How many recordings of different sessions tell as much, at least 1.

    The effective size of a sample of a first-order autoregressive series.

    >>> independent_recordings(20, 0.0), round(independent_recordings(20, 0.6), 6)
    (20.0, 5.0)
    """
    return max(1.0, recordings * (1.0 - correlation) / (1.0 + correlation))
