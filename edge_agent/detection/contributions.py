"""Why a window is odd: each third octave's part in it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import BANDS
from edge_agent.detection.fusion import Part, shares
from edge_agent.detection.third_octave import ThirdOctaves
from edge_agent.detection.verdict import BandContribution

FloatArray = NDArray[np.float64]

_band = cast("Callable[[tuple[float, float, float]], BandContribution]", partial(tuple.__new__, BandContribution))
"""As `BandContribution._make`, without a frame of Python for each of some twenty a window."""


def band_contributions(
    parts: Sequence[Sequence[Part]],
    change_db: FloatArray,
    third_octaves: ThirdOctaves,
) -> list[tuple[BandContribution, ...]]:
    """Signed part of each third octave in what speaks for a fault, for each window.

    A detector's part is divided among the bands as its score is; the contributions sum to the share of those detectors
    that can tell bands apart.

    Args:
        parts: What the detectors said of each window.
        change_db: `[windows, 128]` level-removed spectra less the machine's normal.
        third_octaves: The bands.
    """
    per_mel = np.zeros((len(parts), BANDS))
    for own, row in zip(parts, per_mel, strict=True):
        for part, share in zip(own, shares(own), strict=True):
            if part.contributions is not None and part.score > 0 and share > 0:
                np.add(row, part.contributions * (share / part.score), out=row)
    sums = third_octaves.sums_of_all(np.concatenate([per_mel, change_db]))
    contributions, changes = sums[: len(parts)].tolist(), (sums[len(parts) :] / third_octaves.sizes).tolist()
    return [
        tuple(map(_band, zip(third_octaves.centres_hz, each, change, strict=True)))
        for each, change in zip(contributions, changes, strict=True)
    ]
