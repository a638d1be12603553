"""Why a window is odd: each third octave's part in it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import BANDS
from edge_agent.detection.fusion import Part, shares
from edge_agent.detection.third_octave import ThirdOctaves
from edge_agent.detection.verdict import BandContribution

FloatArray = NDArray[np.float64]


def band_contributions(
    parts: Sequence[Part],
    change_db: FloatArray,
    third_octaves: ThirdOctaves,
) -> tuple[BandContribution, ...]:
    """Signed part of each third octave in what speaks for a fault.

    A detector's part is divided among the bands as its score is; the contributions sum to the share of those detectors
    that can tell bands apart.

    Args:
        parts: What the detectors said of the window.
        change_db: `[128]` level-removed spectrum less the machine's normal.
        third_octaves: The bands.
    """
    per_mel = np.zeros(BANDS)
    for part, share in zip(parts, shares(parts), strict=True):
        if part.contributions is not None and part.score > 0:
            per_mel += part.contributions * (share / part.score)
    contributions, changes = third_octaves.sums(per_mel).tolist(), third_octaves.means(change_db).tolist()
    return tuple(map(BandContribution, third_octaves.centres_hz, contributions, changes))
