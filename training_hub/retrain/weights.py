"""How much each detector is worth for a machine type, fitted on made-up faults of its machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.fusion import Member, parts_of
from edge_agent.detection.prior import TypePrior
from training_hub.retrain.clips import LearntClip
from training_hub.retrain.judging import Ear, opened, recordings_of, spread
from training_hub.retrain.pseudo import made_up_faults

LEAST_FACTOR, MOST_FACTOR = 0.5, 2.0
"""A weight moves by no more than this: made-up faults are no real ones."""
MIN_CLIPS = 6
_MOST_CLIPS = 24
_MOST_WINDOWS = 16
_FULL_TRUST_WINDOWS = 40.0
_RIDGE = 0.3
_MOST_SPREADS = 8.0

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeightCase:
    """One machine to try detectors on; sent to whoever computes.

    Attributes:
        archive: The bundle whose encoder hears, as a `.tar`.
        prior: Arrays of the type's prior, fitted on the same clips.
        machine_type: The type.
        learn: The machine's normal clips: half of the recordings commission, the windows of the others are changed.
        seed: Of the changes.
    """

    archive: bytes
    prior: Mapping[str, NDArray[Any]]
    machine_type: str
    learn: tuple[LearntClip, ...]
    seed: int


@dataclass(frozen=True, eq=False)
class Spoken:
    """What detectors said of one machine's windows: spreads above normal, `[windows, detectors]`."""

    detectors: tuple[str, ...]
    normal: FloatArray
    changed: FloatArray


def listen(case: WeightCase) -> Spoken | None:
    """Commission on half of the groups; hear the others, as they are and changed. None where that cannot be done."""
    clips = spread(case.learn, _MOST_CLIPS)
    groups = sorted({item.group for item in clips})
    if len(clips) < MIN_CLIPS or len(groups) < 2:
        return None
    first = set(groups[::2])
    teach = [item for item in clips if item.group in first]
    windows = [window for item in clips if item.group not in first for window in item.windows][:_MOST_WINDOWS]
    bundle = opened(case.archive)
    ear = Ear(bundle)
    prior = TypePrior.from_arrays(case.machine_type, case.prior)
    try:
        profile = commission(
            "machine",
            case.machine_type,
            recordings_of(teach, ear),
            prior,
            bundle=bundle.ref,
            budget=AlarmBudget(background_margin=False),
            created_ns=0,
            max_states=len({item.clip.state for item in teach}),
            seed=case.seed,
        )
    except CommissioningError:
        return None
    rng = np.random.default_rng(case.seed)
    names = tuple(sorted(prior.detectors))
    faults = [fault for window in windows for fault in made_up_faults(window, rng)]
    return Spoken(
        names,
        np.array([_spoken(profile.members, ear.hear(window), names) for window in windows]),
        np.array([_spoken(profile.members, ear.hear(fault), names) for fault in faults]),
    )


def fit_weights(prior: TypePrior, machines: Sequence[Spoken]) -> TypePrior:
    """The prior with weights that best tell changed windows from normal ones, as far as they are to be trusted.

    Fisher's linear discriminant of the detectors' z, with a ridge and no negative weight; the result is drawn towards
    the usual weights where few windows were heard, and moves none by more than half or double.
    """
    machines = [item for item in machines if len(item.normal) and len(item.changed)]
    if not machines:
        return prior
    names = machines[0].detectors
    step = np.mean([item.changed.mean(axis=0) - item.normal.mean(axis=0) for item in machines], axis=0)
    scatter = np.mean([_scatter(item.normal) + _scatter(item.changed) for item in machines], axis=0) / 2.0
    scatter += _RIDGE * np.diag(np.diag(scatter) + 1e-6)
    found = np.maximum(np.linalg.solve(scatter, step), 0.0)
    usual = np.array([prior.of(name).weight for name in names])
    if found.sum() <= 0 or usual.sum() <= 0:
        return prior
    heard = sum(len(item.normal) for item in machines)
    trust = heard / (heard + _FULL_TRUST_WINDOWS)
    share, usual_share = found / found.sum(), usual / usual.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(usual_share > 0, share / usual_share, 1.0)
    factor = np.clip(np.maximum(factor, 1e-3) ** trust, LEAST_FACTOR, MOST_FACTOR)
    weights = dict(zip(names, np.round(usual * factor, 3).tolist(), strict=True))
    detectors = {name: replace(detector, weight=weights[name]) for name, detector in prior.detectors.items()}
    return replace(prior, detectors=detectors)


def _spoken(members: Sequence[Member], window: WindowFeatures, names: tuple[str, ...]) -> list[float]:
    said = {part.name: part.z for part in parts_of(members, window)}
    return [float(np.clip(said.get(name, 0.0), -_MOST_SPREADS, _MOST_SPREADS)) for name in names]


def _scatter(values: FloatArray) -> FloatArray:
    return np.asarray(np.atleast_2d(np.cov(values, rowvar=False)) if len(values) > 1 else np.eye(values.shape[1]))
