"""Commissioning: from minutes of a machine's normal sound to its profile, with no gradient training."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics, vetting
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.calibration import PredictiveTail, neighbour_correlation
from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.embedding import spread_choice, unit
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording
from edge_agent.detection.held_out import (
    FUSED_SPREAD,
    FUSED_SPREAD_STRENGTH,
    MIN_RECORDINGS,
    HeldOut,
    cross_validate,
    fit_members,
    fused_values,
    stretches,
)
from edge_agent.detection.input_health import InputBaseline
from edge_agent.detection.likeness import UNKNOWN_START, UNNAMED, Likeness
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import FEW_EXEMPLARS, MAX_EXEMPLARS, MAX_NAMES, ExpectedAlarms, Profile, short_name
from edge_agent.inference.manifest import BundleRef

FloatArray = NDArray[np.float64]

MAX_WINDOWS = 20_000
CALIBRATED_WINDOWS = 55
_MISCALIBRATED = 1e-3


def commission(  # noqa: PLR0917  # what is learnt, from what, for what: the contract of docs/architecture.md
    machine_id: str,
    machine_type: str,
    recordings: Sequence[Recording],
    prior: TypePrior,
    bundle: BundleRef | None,
    budget: AlarmBudget,
    *,
    created_ns: int,
    max_states: int = 1,
    seed: int = 0,
) -> Profile:
    """Learn a machine's normal sound.

    Detectors are fitted with whole recordings held out in turn, so that every normal window is scored by detectors that
    never heard its recording; the threshold comes from those scores. The final detectors see all.

    Args:
        machine_id: The machine.
        machine_type: What it is said to be.
        recordings: Its normal sound, in order of time; at least three windows of about 10 s.
        prior: What the bundle knows of the type.
        bundle: The bundle that the prior and the embeddings are from.
        budget: The false alarms that the operator accepts.
        created_ns: Wall time now, nanoseconds since 1970.
        max_states: How many operating states the recordings may show.
        seed: Of the folds and of the noise; the same seed gives the same profile.

    Returns:
        The profile; provisional below about ten minutes of sound.

    Raises:
        CommissioningError: The recordings cannot teach what is normal; the message says why and the mend.
    """
    rng = np.random.default_rng(seed)
    total = len(recordings)
    names = [short_name(recording.name) for recording in recordings]
    outliers = _unfit(recordings)
    vetting.check_allowance(outliers, names, total)
    kept = _without(range(total), outliers)
    training, owners = _training_set(recordings, kept, names, max_states)
    held = cross_validate(training, prior, rng)
    odd = vetting.score_outliers(held, owners, prior)
    if odd:
        outliers += odd
        vetting.check_allowance(outliers, names, total)
        kept = _without(kept, outliers)
        training, owners = _training_set(recordings, kept, names, max_states)
        held = cross_validate(training, prior, rng)
    fused_tail, correlation, values = _calibrate(held, prior)
    probability = budget.window_probability(correlation)
    limit = fused_tail.value_at(math.log10(probability))
    _verify(values, held.recordings, limit, probability)
    low, high = fused_tail.alarms_per_week(limit, budget, correlation, rng)
    likeness = _likeness(training, owners, kept, recordings)
    # where the encoder has embeddings, spectra find the nearest normal of windows shorter than a patch only
    exemplars, exemplar_clips = _exemplars(
        training, np.searchsorted(kept, owners), MAX_EXEMPLARS if likeness is None else FEW_EXEMPLARS
    )
    return Profile(
        machine_id=machine_id,
        machine_type=machine_type,
        prior_name=prior.name,
        prior_digest=prior.digest,
        bundle=bundle,
        created_ns=created_ns,
        recordings=len(kept),
        windows=len(training.windows),
        clips=tuple(names[i] for i in kept[:MAX_NAMES]),
        trimmed=tuple(f"{names[o.recording]}: {o.reason}" for o in outliers[:MAX_NAMES]),
        provisional=len(training.windows) < CALIBRATED_WINDOWS,
        budget=budget,
        threshold=-math.log10(probability),
        expected=ExpectedAlarms(budget.alarms_per_week(probability, correlation), low, high),
        correlation=correlation,
        members=fit_members(training, prior, held, rng),
        fused_tail=fused_tail,
        baseline=_baseline(recordings, kept),
        state_spectra_db=_state_spectra(training),
        exemplars=exemplars,
        exemplar_clips=exemplar_clips,
        likeness=likeness,
    )


def _unfit(recordings: Sequence[Recording]) -> list[vetting.Outlier]:
    """Recordings that need no detector to be refused."""
    windows = sum(len(recording.windows) for recording in recordings)
    if not 3 <= windows <= MAX_WINDOWS:
        raise CommissioningError(
            f"{len(recordings)} recordings with {windows} windows; commissioning needs 3 to {MAX_WINDOWS} windows: "
            "give at least half a minute of normal sound, better ten minutes"
        )
    silent = vetting.silent_recordings(recordings)
    if len(silent) == len(recordings):
        raise CommissioningError(f"nothing to learn from: {silent[0].reason}")
    seen = {outlier.recording for outlier in silent}
    audible = [i for i in range(len(recordings)) if i not in seen]
    loud = vetting.level_outliers([recordings[i] for i in audible])
    return silent + [vetting.Outlier(audible[o.recording], o.reason) for o in loud]


def _without(places: Sequence[int] | range, outliers: Sequence[vetting.Outlier]) -> list[int]:
    left_out = {outlier.recording for outlier in outliers}
    return [i for i in places if i not in left_out]


def _training_set(
    recordings: Sequence[Recording], kept: Sequence[int], names: Sequence[str], max_states: int
) -> tuple[TrainingSet, NDArray[np.int64]]:
    """The usable windows, and for each the place of its recording in `recordings`."""
    pairs = [(w, i) for i in kept for w in recordings[i].windows if w.frames >= vetting.MIN_FRAMES]
    if len(pairs) < MIN_RECORDINGS:
        raise CommissioningError(
            f"only {len(pairs)} usable windows are left; give at least half a minute of normal sound, "
            "better ten minutes"
        )
    windows, owners = tuple(w for w, _ in pairs), np.array([i for _, i in pairs], np.int64)
    states = vetting.operating_states(windows, [names[i] for i in owners], max_states)
    return TrainingSet(windows, stretches(owners), states), owners


def _calibrate(held: HeldOut, prior: TypePrior) -> tuple[PredictiveTail, float, FloatArray]:
    values = fused_values(held, prior)
    known = np.isfinite(values)
    if not held.log_scores or not known.any():
        raise CommissioningError(f"type {prior.name!r} of the bundle gives no detector any weight; use another bundle")
    tail = PredictiveTail.fit(
        values[known], held.recordings[known], prior_spread=FUSED_SPREAD, prior_strength=FUSED_SPREAD_STRENGTH
    )
    return tail, neighbour_correlation(values[known], held.recordings[known]), values[known]


def _verify(values: FloatArray, recordings: NDArray[np.int64], limit: float, probability: float) -> None:
    """Refuse a threshold that held-out normal sound exceeds far more often than promised."""
    above = int((values >= limit).sum())
    n = len(values)
    chance = 1.0 - sum(math.comb(n, k) * probability**k * (1.0 - probability) ** (n - k) for k in range(above))
    if above > 1 and chance < _MISCALIBRATED:
        raise CommissioningError(
            f"{above} of {n} held-out normal windows would be anomalous where {probability * n:.1f} were expected: the "
            "sound differs too much from recording to recording; record longer, in all its normal ways of working"
        )


def _state_spectra(training: TrainingSet) -> NDArray[np.float32]:
    spectra = np.array([statistics.shape(window.log_mel_db) for window in training.windows])
    states = range(int(training.states.max()) + 1)
    return np.array([np.median(spectra[training.states == s], axis=0) for s in states], np.float32)


def _exemplars(
    training: TrainingSet, clips: NDArray[np.int64], most: int
) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """Spectra of a spread-out choice of at most `most` windows whose clips the profile names, and the clip of each."""
    named = np.flatnonzero(clips < MAX_NAMES)
    spectra = np.array([statistics.shape(training.windows[i].log_mel_db) for i in named], np.float32)
    chosen = np.sort(spread_choice(unit(spectra), most))
    return spectra[chosen].astype(np.float16), clips[named[chosen]].astype(np.int32)


def _likeness(
    training: TrainingSet, owners: NDArray[np.int64], kept: Sequence[int], recordings: Sequence[Recording]
) -> Likeness | None:
    """What tells this machine from others, with the names of the recordings that the profile keeps."""
    places = np.searchsorted(kept, owners)
    starts_s = [
        start_s
        for i in kept
        for window, start_s in zip(recordings[i].windows, _starts_s(recordings[i]), strict=True)
        if window.frames >= vetting.MIN_FRAMES
    ]
    return Likeness.fit(training, np.where(places < MAX_NAMES, places, UNNAMED), starts_s)


def _starts_s(recording: Recording) -> tuple[float, ...]:
    return recording.starts_s or (UNKNOWN_START,) * len(recording.windows)


def _baseline(recordings: Sequence[Recording], kept: Sequence[int]) -> InputBaseline:
    pairs = [pair for i in kept for pair in zip(recordings[i].windows, recordings[i].levels, strict=True)]
    pairs = [(window, level) for window, level in pairs if window.frames >= vetting.MIN_FRAMES]
    return InputBaseline.fit([window for window, _ in pairs], [level for _, level in pairs])
