"""Commissioning: from minutes of a machine's normal sound to its profile, with no gradient training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics, verify, vetting
from edge_agent.detection.amid import Hear, Scale, amid_background
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.calibration import PredictiveTail, neighbour_correlation
from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.embedding import spread_choice
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording
from edge_agent.detection.held_out import (
    MIN_RECORDINGS,
    HeldOut,
    cross_validate,
    fit_members,
    fused_tail,
    fused_values,
    stretches,
)
from edge_agent.detection.input_health import InputBaseline
from edge_agent.detection.likeness import UNKNOWN_START, UNNAMED, Likeness
from edge_agent.detection.limit import limit_of
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import (
    FEW_EXEMPLARS,
    MAX_EXEMPLARS,
    MAX_NAMES,
    MAX_SENTENCE,
    Profile,
    short_name,
)
from edge_agent.detection.states import OperatingState, States, states_of
from edge_agent.detection.unit import unit
from edge_agent.inference.manifest import BundleRef
from edge_agent.signal.level import LevelReading

FloatArray = NDArray[np.float64]

MAX_WINDOWS = 20_000
CALIBRATED_WINDOWS = 55
STATE_TAIL_RECORDINGS = 10
"""A state that so many recordings (or stretches of one) show has a calibration of its own."""


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
    hear: Hear | None = None,
) -> Profile:
    """Learn a machine's normal sound.

    Detectors are fitted with whole recordings held out in turn, so that every normal window is scored by detectors that
    never heard its recording; scores are calibrated on those. The threshold comes from the same windows and from copies
    of them amid synthetic background: a plant is louder some other day. The final detectors see all.

    Args:
        machine_id: The machine.
        machine_type: What it is said to be.
        recordings: Its normal sound, in order of time; at least three windows of about 10 s.
        prior: What the bundle knows of the type.
        bundle: The bundle that the prior and the embeddings are from.
        budget: The false alarms that the operator accepts.
        created_ns: Wall time now, nanoseconds since 1970.
        max_states: How many operating states to look for where the recordings name none; with 1, recordings of two
            states are refused as they may be of two machines.
        seed: Of the folds and of the noise; the same seed gives the same profile.
        hear: Makes features of log-mel frames with the bundle's encoder, for copies of the windows amid background;
            without it detectors that need an encoder take no part in those.

    Returns:
        The profile; provisional below about ten minutes of sound.

    Raises:
        CommissioningError: The recordings cannot teach what is normal; the message says why and the mend.
    """
    learnt = learn(
        machine_id,
        machine_type,
        recordings,
        prior,
        bundle,
        budget,
        created_ns=created_ns,
        max_states=max_states,
        seed=seed,
        hear=hear,
    )
    return learnt.profile


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What commissioning made.

    Attributes:
        profile: The profile.
        kept: The recordings that it rests on, by their places.
    """

    profile: Profile
    kept: tuple[int, ...]


def learn(  # noqa: PLR0917  # as `commission`
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
    hear: Hear | None = None,
) -> Learnt:
    """Commission, and tell which recordings were used; see `commission`."""
    rng = np.random.default_rng(seed)
    names = [short_name(recording.name) for recording in recordings]
    lesson, held, outliers, vouched = _vetted(recordings, names, prior, max_states, rng)
    training, states = lesson.training, lesson.states
    common, correlation, values, known = _calibrate(held, prior)
    operating_states = _operating_states(states, values, known, held, common)
    tails = [operating_states[s].tail or common for s in states.numbers.tolist()]
    amid_tail = None
    if budget.background_margin:
        amid_tail = amid_background(training.windows, held, prior, Scale(tuple(tails), common), hear=hear, rng=rng)
    limit = limit_of(common, amid_tail, budget, correlation)
    log10_tails = np.array([tails[i].log10_tail(float(values[i])) for i in np.flatnonzero(known)])
    contradiction = verify.miscalibration(log10_tails, budget.window_probability(correlation))
    if contradiction is not None and not any(recording.trusted for recording in recordings):
        raise CommissioningError(contradiction)
    provisional = len(training.windows) < CALIBRATED_WINDOWS
    places = np.searchsorted(lesson.kept, lesson.owners)
    likeness = Likeness.fit(training, np.where(places < MAX_NAMES, places, UNNAMED), lesson.starts_s)
    # where the encoder has embeddings, spectra find the nearest normal of windows shorter than a patch only
    exemplars, exemplar_clips = _exemplars(training, places, MAX_EXEMPLARS if likeness is None else FEW_EXEMPLARS)
    profile = Profile(
        machine_id=machine_id,
        machine_type=machine_type,
        prior_name=prior.name,
        prior_digest=prior.digest,
        bundle=bundle,
        created_ns=created_ns,
        recordings=len(lesson.kept),
        windows=len(training.windows),
        clips=tuple(names[i] for i in lesson.kept[:MAX_NAMES]),
        trimmed=tuple(f"{names[o.recording]}: {o.reason}"[:MAX_SENTENCE] for o in outliers[:MAX_NAMES]),
        warnings=(
            *([contradiction] if contradiction else []),
            *(
                f"{names[o.recording]} is odd, and kept since you vouch for it: {o.reason}"[:MAX_SENTENCE]
                for o in vouched
            ),
            *verify.warnings_of(training, states, lesson.levels, recordings=len(lesson.kept), provisional=provisional),
        )[: verify.MAX_WARNINGS],
        provisional=provisional,
        budget=budget,
        threshold=limit.threshold,
        expected=limit.expected,
        correlation=correlation,
        members=fit_members(training, prior, held, rng),
        fused_tail=common,
        amid_tail=amid_tail,
        states=operating_states,
        baseline=InputBaseline.fit(training.windows, lesson.levels),
        state_spectra_db=_state_spectra(training),
        exemplars=exemplars,
        exemplar_clips=exemplar_clips,
        likeness=likeness,
    )
    return Learnt(profile, lesson.kept)


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """The usable windows of the recordings that are kept.

    Attributes:
        kept: Places of the recordings, rising.
        training: Their windows.
        owners: `[n]`, the place of each window's recording.
        levels: `[n]`, the level of each window.
        starts_s: `[n]`, where each starts in its recording.
        states: Their operating states.
    """

    kept: tuple[int, ...]
    training: TrainingSet
    owners: NDArray[np.int64]
    levels: tuple[LevelReading | None, ...]
    starts_s: tuple[float, ...]
    states: States

    @classmethod
    def of(cls, recordings: Sequence[Recording], kept: Sequence[int], max_states: int) -> "_Lesson":
        """Gather; raises `CommissioningError` where too little is left, or the states are not as expected."""
        usable = [
            (window, level, start_s, i)
            for i in kept
            for window, level, start_s in zip(
                recordings[i].windows, recordings[i].levels, _starts_s(recordings[i]), strict=True
            )
            if window.frames >= vetting.MIN_FRAMES
        ]
        if len(usable) < MIN_RECORDINGS:
            raise CommissioningError(
                f"only {len(usable)} usable windows are left; give at least half a minute of normal sound, "
                "better ten minutes"
            )
        windows, levels, starts_s, places = zip(*usable, strict=True)
        owners = np.array(places, np.int64)
        states = states_of(windows, owners, recordings, max_states)
        training = TrainingSet(windows, stretches(owners), states.numbers)
        return cls(tuple(kept), training, owners, levels, starts_s, states)

    def without(
        self, outliers: Sequence[vetting.Outlier], recordings: Sequence[Recording], max_states: int
    ) -> "_Lesson":
        """The lesson of the other recordings."""
        left_out = {outlier.recording for outlier in outliers}
        return self.of(recordings, [i for i in self.kept if i not in left_out], max_states)

    def state_of(self, recording: int) -> int:
        """The state that most windows of a recording show."""
        return int(np.argmax(np.bincount(self.states.numbers[self.owners == recording])))


def _vetted(
    recordings: Sequence[Recording],
    names: Sequence[str],
    prior: TypePrior,
    max_states: int,
    rng: np.random.Generator,
) -> tuple[_Lesson, HeldOut, list[vetting.Outlier], list[vetting.Outlier]]:
    """What can be learnt from, its held-out scores, what was left out, and what is odd but vouched for."""
    windows = sum(len(recording.windows) for recording in recordings)
    if not 3 <= windows <= MAX_WINDOWS:
        raise CommissioningError(
            f"{len(recordings)} recordings with {windows} windows; commissioning needs 3 to {MAX_WINDOWS} windows: "
            "give at least half a minute of normal sound, better ten minutes"
        )
    silent = vetting.silent_recordings(recordings)
    if len(silent) == len(recordings):
        raise CommissioningError(f"nothing to learn from: {silent[0].reason}")
    outliers = list(silent)
    vetting.check_allowance(outliers, names, len(recordings))
    unheard = {outlier.recording for outlier in silent}
    copies = [copy for copy in vetting.copies(recordings) if copy.recording not in unheard]
    left_out = unheard | {copy.recording for copy in copies}
    kept = [i for i in range(len(recordings)) if i not in left_out]
    if max_states == 1 and all(recording.state is None for recording in recordings):
        early = vetting.start_up(recordings, kept)
        outliers += early
        vetting.check_allowance(outliers, names, len(recordings))
        kept = [i for i in kept if i not in {outlier.recording for outlier in early}]
    lesson = _Lesson.of(recordings, kept, max_states)
    loud = vetting.level_outliers([recordings[i] for i in lesson.kept], [lesson.state_of(i) for i in lesson.kept])
    if loud:
        outliers += [vetting.Outlier(lesson.kept[o.recording], o.reason) for o in loud]
        vetting.check_allowance(outliers, names, len(recordings))
        lesson = lesson.without(outliers, recordings, max_states)
    held = cross_validate(lesson.training, prior, rng)
    found = vetting.score_outliers(held, lesson.owners, prior)
    odd = [o for o in found if not recordings[o.recording].trusted]
    vouched = [o for o in found if recordings[o.recording].trusted]
    if odd:
        outliers += odd
        vetting.check_allowance(outliers, names, len(recordings))
        lesson = lesson.without(outliers, recordings, max_states)
        held = cross_validate(lesson.training, prior, rng)
    return lesson, held, outliers + copies, vouched


def _calibrate(held: HeldOut, prior: TypePrior) -> tuple[PredictiveTail, float, FloatArray, NDArray[np.bool_]]:
    """The distribution of the fused values, their correlation, the values, and which of them are known."""
    values = fused_values(held, prior)
    known = np.isfinite(values)
    if not held.log_scores or not known.any():
        raise CommissioningError(f"type {prior.name!r} of the bundle gives no detector any weight; use another bundle")
    tail = fused_tail(held, values[known], held.recordings[known])
    return tail, neighbour_correlation(values[known], held.recordings[known]), values, known


def _operating_states(
    states: States,
    values: FloatArray,
    known: NDArray[np.bool_],
    held: HeldOut,
    common: PredictiveTail,
) -> tuple[OperatingState, ...]:
    """Each state with a calibration of its own where enough recordings show it; few lean on what all states share."""
    found = []
    for number, name in enumerate(states.names):
        own = states.numbers == number
        tail = None
        heard = own & known
        if len(states.names) > 1 and len(np.unique(held.recordings[heard])) >= STATE_TAIL_RECORDINGS:
            tail = fused_tail(held, values[heard], held.recordings[heard], prior_spread=common.spread)
        found.append(OperatingState(name, int(own.sum()), tail))
    return tuple(found)


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


def _starts_s(recording: Recording) -> tuple[float, ...]:
    return recording.starts_s or (UNKNOWN_START,) * len(recording.windows)
