"""Which few bands tell a window from normal: those without which its score falls most."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from edge_agent.detection.calibration import log_score
from edge_agent.detection.detector import FloatArray
from edge_agent.detection.features import BANDS, WindowFeatures
from edge_agent.detection.fusion import Member
from edge_agent.detection.gaussian import GaussianDetector
from edge_agent.detection.third_octave import ThirdOctaves
from edge_agent.detection.verdict import BandContribution

MOST_BANDS = 2
_ALONE = 0.6


def telling_bands(
    members: Sequence[Member],
    window: WindowFeatures,
    bands: Sequence[BandContribution],
    third_octaves: ThirdOctaves,
) -> tuple[float, ...]:
    """Centres of the one or two third octaves that tell most, lowest first.

    Every set of that size is tried: the deviation from normal is taken away in its bands, and the detectors that can
    tell bands apart score what is left; the set that leaves least is named. One band is named where it alone has most
    of all that speaks for a fault. (Shapley-like contributions rank single bands; bands whose deviations depend on each
    other, as neighbours do, must be judged together.)

    Args:
        members: The profile's detectors.
        window: The window.
        bands: Contributions of all third octaves.
        third_octaves: How mel bands fall into them.

    Returns:
        None named where no band speaks for a fault.
    """
    positive = np.maximum(0.0, [band.contribution for band in bands])
    if not positive.sum():
        return ()
    count = 1 if positive.max() >= _ALONE * positive.sum() else min(MOST_BANDS, len(bands))
    centres_hz = [band.centre_hz for band in bands]
    sets = list(combinations(centres_hz, count))
    kept = np.ones((len(sets), BANDS))
    for row, chosen in enumerate(sets):
        for centre_hz in chosen:
            kept[row, third_octaves.mel_bands(centre_hz)] = 0.0
    left = np.zeros(len(sets))
    for member in members:
        if isinstance(member.detector, GaussianDetector):
            scores = member.detector.scores_without(window, kept)
            if scores is not None:
                left += member.weight * _standardised(member, scores)
    return sets[int(np.argmin(left))]


def _standardised(member: Member, scores: FloatArray) -> FloatArray:
    return np.array([member.tail.standardise(log_score(score)) for score in scores.tolist()])
