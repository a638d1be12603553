"""Scoring one machine's windows."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics
from edge_agent.detection.change import changes_in
from edge_agent.detection.contributions import band_contributions
from edge_agent.detection.covariance import aligned
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.fusion import fuse, parts_of, shares
from edge_agent.detection.input_health import check_input
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import Profile
from edge_agent.detection.removal import telling_bands
from edge_agent.detection.third_octave import ThirdOctaves
from edge_agent.detection.verdict import DetectorVerdict, NearestNormal, Verdict
from edge_agent.signal.level import LevelReading

FloatArray = NDArray[np.float64]


class MachineScorer:
    """Says of each window of one machine how odd it is and why. Pure: no state between windows.

    Args:
        profile: What commissioning learnt.
        prior: The type's prior that it was learnt with.

    Raises:
        DetectionError: The prior is another one.
    """

    def __init__(self, profile: Profile, prior: TypePrior) -> None:
        profile.check_prior(prior)
        self.profile = profile
        self._third_octaves = ThirdOctaves()
        self._states_db = profile.state_spectra_db.astype(np.float64)
        self._exemplars_db = profile.exemplars.astype(np.float64)

    def score(self, window: WindowFeatures, level: LevelReading | None = None) -> Verdict:
        """Verdict on one window.

        Args:
            window: Its features.
            level: Level and condition of its input, where audio was there.

        Raises:
            DetectionError: The window holds no frame.
        """
        if window.frames == 0:
            raise DetectionError("a window without valid frames cannot be scored; skip it")
        profile = self.profile
        parts = parts_of(profile.members, window)
        spectrum_db = statistics.shape_of(window.measured(statistics.spectrum))
        state = _nearest(self._states_db, spectrum_db)
        operating = profile.states[state]
        score = -(operating.tail or profile.fused_tail).log10_tail(fuse(parts))
        change_db = aligned(spectrum_db - self._states_db[state])
        health = check_input(window, level, profile.baseline)
        bands = band_contributions(parts, change_db, self._third_octaves)
        is_anomalous = score >= profile.threshold and not any(finding.blocking for finding in health)
        named = telling_bands(profile.members, window, bands, self._third_octaves) if is_anomalous else ()
        return Verdict(
            score=score,
            threshold=profile.threshold,
            percentile=100.0 * (1.0 - 10.0**-score),
            detectors=tuple(
                DetectorVerdict(part.name, part.score, -part.log10_tail, share)
                for part, share in zip(parts, shares(parts), strict=True)
            ),
            bands=bands,
            health=health,
            state=state,
            nearest_normal=self._nearest_normal(window, spectrum_db),
            is_anomalous=is_anomalous,
            operating_state=operating.name,
            changes=changes_in(named, change_db, window.log_mel_db, self._third_octaves),
            normal_windows=profile.windows,
        )

    def _nearest_normal(self, window: WindowFeatures, spectrum_db: FloatArray) -> NearestNormal:
        """By the encoder's ear; by the spectrum where it has none."""
        profile = self.profile
        if profile.likeness is not None:
            found = profile.likeness.nearest_of_units(window.unit_embeddings, profile.clips)
            if found is not None:
                return found
        row = _nearest(self._exemplars_db, spectrum_db)
        exemplar = self._exemplars_db[row]
        lengths = float(np.linalg.norm(exemplar) * np.linalg.norm(spectrum_db))
        cosine = float(exemplar @ spectrum_db) / lengths if lengths > 0 else 0.0
        return NearestNormal(profile.clips[profile.exemplar_clips[row]], None, max(0.0, 1.0 - cosine))


def _nearest(rows: FloatArray, value: FloatArray) -> int:
    return int(np.argmin(((rows - value) ** 2).sum(axis=1)))
