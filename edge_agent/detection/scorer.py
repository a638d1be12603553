"""Scoring one machine's windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics
from edge_agent.detection.change import changes_in
from edge_agent.detection.contributions import band_contributions
from edge_agent.detection.covariance import aligned
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures, measure_units, stacked_units
from edge_agent.detection.fusion import Part, fuse, parts_of_all, shares
from edge_agent.detection.input_health import check_inputs
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import Profile
from edge_agent.detection.removal import telling_bands
from edge_agent.detection.third_octave import ThirdOctaves
from edge_agent.detection.verdict import BandContribution, DetectorVerdict, HealthFinding, NearestNormal, Verdict
from edge_agent.signal.level import LevelReading

FloatArray = NDArray[np.float64]


@dataclass(slots=True)
class _Look:
    """What was found of one window, before it is put together."""

    window: WindowFeatures
    parts: Sequence[Part]
    state: int
    change_db: FloatArray
    health: tuple[HealthFinding, ...]
    bands: tuple[BandContribution, ...]
    nearest: NearestNormal


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
        return self.score_all(((window, level),))[0]

    def score_all(self, heard: Sequence[tuple[WindowFeatures, LevelReading | None]]) -> list[Verdict]:
        """Verdicts on windows, each the same as alone; a step is taken for all of them before the next one is.

        Args:
            heard: Of each window its features, and level and condition of its input, where audio was there.

        Raises:
            DetectionError: A window holds no frame.
        """
        if not heard:
            return []
        windows = [window for window, _ in heard]
        if not all(window.frames for window in windows):
            raise DetectionError("a window without valid frames cannot be scored; skip it")
        measure_units(windows)
        parts = parts_of_all(self.profile.members, windows)
        spectra_db = np.array([window.measured(statistics.spectrum) for window in windows])
        shapes_db = statistics.shape_of(spectra_db)
        states = ((self._states_db - shapes_db[:, None]) ** 2).sum(axis=2).argmin(axis=1)
        changes_db = aligned(shapes_db - self._states_db[states])
        looks = map(
            _Look,
            windows,
            parts,
            states.tolist(),
            changes_db,
            check_inputs(heard, self.profile.baseline),
            band_contributions(parts, changes_db, self._third_octaves),
            self._nearest_normals(windows, shapes_db),
        )
        return [self._verdict(look) for look in looks]

    def _verdict(self, look: _Look) -> Verdict:
        profile = self.profile
        operating = profile.states[look.state]
        score = -(operating.tail or profile.fused_tail).log10_tail(fuse(look.parts))
        is_anomalous = score >= profile.threshold and not any(finding.blocking for finding in look.health)
        named = telling_bands(profile.members, look.window, look.bands, self._third_octaves) if is_anomalous else ()
        return Verdict(
            score=score,
            threshold=profile.threshold,
            percentile=100.0 * (1.0 - 10.0**-score),
            detectors=tuple(
                DetectorVerdict(part.name, part.score, -part.log10_tail, share)
                for part, share in zip(look.parts, shares(look.parts), strict=True)
            ),
            bands=look.bands,
            health=look.health,
            state=look.state,
            nearest_normal=look.nearest,
            is_anomalous=is_anomalous,
            operating_state=operating.name,
            changes=changes_in(named, look.change_db, look.window.log_mel_db, self._third_octaves) if named else (),
            normal_windows=profile.windows,
        )

    def _nearest_normals(self, windows: Sequence[WindowFeatures], shapes_db: FloatArray) -> list[NearestNormal]:
        """By the encoder's ear; by the spectrum where it has none."""
        profile = self.profile
        by_ear: list[NearestNormal | None] = [None] * len(windows)
        if profile.likeness is not None:
            for places, units in stacked_units(windows):
                for place, found in zip(places, profile.likeness.nearest_of_stack(units, profile.clips), strict=True):
                    by_ear[place] = found
        return [
            self._nearest_spectrum(shape_db) if found is None else found
            for found, shape_db in zip(by_ear, shapes_db, strict=True)
        ]

    def _nearest_spectrum(self, spectrum_db: FloatArray) -> NearestNormal:
        profile = self.profile
        row = _nearest(self._exemplars_db, spectrum_db)
        exemplar = self._exemplars_db[row]
        lengths = float(np.linalg.norm(exemplar) * np.linalg.norm(spectrum_db))
        cosine = float(exemplar @ spectrum_db) / lengths if lengths > 0 else 0.0
        return NearestNormal(profile.clips[profile.exemplar_clips[row]], None, max(0.0, 1.0 - cosine))


def _nearest(rows: FloatArray, value: FloatArray) -> int:
    return int(np.argmin(((rows - value) ** 2).sum(axis=1)))
