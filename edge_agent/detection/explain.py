"""Why a window is odd: which bands, which detectors, in plain words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import BANDS
from edge_agent.detection.fusion import Part, shares
from edge_agent.detection.third_octave import ThirdOctaves, label
from edge_agent.detection.verdict import BandContribution, Verdict

FloatArray = NDArray[np.float64]

_NAMED_BANDS = 3
_SMALL_CHANGE_DB = 1.0
_PLAIN = {
    "texture": "it fluctuates unlike normal",
    "transient": "its loudest moments differ",
    "embedding": "its overall sound differs",
    "reconstruction": "the model cannot rebuild it from what it knows",
}


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
    contributions, changes = third_octaves.sums(per_mel), third_octaves.means(change_db)
    return tuple(
        BandContribution(centre, float(contribution), float(change))
        for centre, contribution, change in zip(third_octaves.centres_hz, contributions, changes, strict=True)
    )


def sentence(machine_id: str, verdict: Verdict) -> str:
    """One sentence in plain words for a person who stands before the machine."""
    for finding in verdict.health:
        if finding.blocking:
            return f"{machine_id} cannot be heard: {finding.message}."
    if not verdict.is_anomalous:
        return (
            f"{machine_id} sounds normal (more ordinary than {100 - verdict.percentile:.0f} % of its normal windows)."
        )
    said = _bands_in_words(verdict.bands)
    main = max(verdict.detectors, key=lambda detector: detector.share)
    if main.name in _PLAIN:
        said = [_PLAIN[main.name], *said]
    what = "; ".join(said) if said else "its spectrum differs in many bands a little"
    rarity = 10.0 ** min(verdict.score, 9.0)
    more = "more than " if verdict.score > 9.0 else ""
    return f"{machine_id} sounds unlike its normal: {what}; one in {more}{rarity:,.0f} normal windows is as odd."


def _bands_in_words(bands: Sequence[BandContribution]) -> list[str]:
    """The bands that count most, louder ones and quieter ones together, as far as they changed."""
    leading = sorted(bands, key=lambda band: band.contribution, reverse=True)[:_NAMED_BANDS]
    said = []
    for word, sign in (("louder", 1.0), ("quieter", -1.0)):
        named = [b for b in leading if b.contribution > 0 and b.change_db * sign >= _SMALL_CHANGE_DB]
        if named:
            places = ", ".join(
                f"{label(b.centre_hz)} ({b.change_db:+.0f} dB)" for b in sorted(named, key=lambda b: b.centre_hz)
            )
            said.append(f"{word} around {places}")
    return said
