"""What the clips that teach say of each machine type: priors, weights, faults."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_agent.detection.faults import FaultPrototypes
from edge_agent.detection.prior import TypePrior
from training_hub.compute.compute import Compute
from training_hub.retrain.clips import LearntClip
from training_hub.retrain.faults import FaultFigures, HeardFault, fit_faults, judge_faults
from training_hub.retrain.judging import Ear, opened
from training_hub.retrain.weights import WeightCase, fit_weights, listen
from training_hub.training.errors import TrainingError
from training_hub.training.fit_type import MIN_CLIPS, fit_prior
from training_hub.training.normals import MachineNormals

Progress = Callable[[float, str], None]
_MOST_NORMALS_HEARD = 100


@dataclass(frozen=True, eq=False)
class TypeClips:
    """Normal clips of one type that teach."""

    machine_type: str
    clips: tuple[LearntClip, ...]


@dataclass
class FaultsLearnt:
    """Prototypes by machine type, and what they are worth."""

    prototypes: dict[str, FaultPrototypes] = field(default_factory=dict)
    figures: dict[str, FaultFigures] = field(default_factory=dict)


def types_of(clips: Sequence[LearntClip]) -> list[TypeClips]:
    """Types with their clips."""
    found: dict[str, list[LearntClip]] = defaultdict(list)
    for item in clips:
        found[item.clip.machine_type].append(item)
    return [TypeClips(name, tuple(found[name])) for name in sorted(found)]


def fit_type_prior(of_type: TypeClips) -> TypePrior | None:
    """The type's prior; None where no machine has clips enough."""
    machines: dict[tuple[str, str], list[LearntClip]] = defaultdict(list)
    for item in of_type.clips:
        machines[item.clip.machine, item.clip.state].append(item)
    normals = [_normals(of_type.machine_type, f"{machine}:{state}", items) for (machine, state), items in
               sorted(machines.items())]  # fmt: skip
    if not any(len(machine.windows) >= MIN_CLIPS for machine in normals):
        return None
    return fit_prior(of_type.machine_type, normals)


def fit_priors(types: Sequence[TypeClips], compute: Compute, progress: Progress) -> dict[str, TypePrior]:
    """Priors of all types that have clips enough."""
    found = {}
    for k, (of_type, prior) in enumerate(zip(types, compute.map(fit_type_prior, types), strict=True), start=1):
        progress(k / len(types), f"type {of_type.machine_type} fitted")
        if prior is not None:
            found[of_type.machine_type] = prior
    return found


def weigh(
    priors: Mapping[str, TypePrior], types: Sequence[TypeClips], archive: bytes, *, seed: int,
    compute: Compute, progress: Progress,
) -> tuple[dict[str, TypePrior], dict[str, int]]:  # fmt: skip
    """Priors with weights fitted on made-up faults, and on how many machines.

    Args:
        priors: Of types to weigh.
        types: Their clips.
        archive: The bundle whose encoder hears.
        seed: Of the changes.
        compute: Who computes.
        progress: Told how far it is.
    """
    cases = []
    for of_type in (item for item in types if item.machine_type in priors):
        machines: dict[str, list[LearntClip]] = defaultdict(list)
        for item in of_type.clips:
            machines[item.clip.machine].append(item)
        arrays = priors[of_type.machine_type].to_arrays()
        for place, machine in enumerate(sorted(machines)):
            cases.append(WeightCase(archive, arrays, of_type.machine_type, tuple(machines[machine]), seed + place))
    heard = defaultdict(list)
    for k, (case, spoken) in enumerate(zip(cases, compute.map(listen, cases), strict=True), start=1):
        progress(k / len(cases), f"detectors tried on {k} of {len(cases)} machines")
        if spoken is not None:
            heard[case.machine_type].append(spoken)
    weighed = {name: fit_weights(prior, heard.get(name, [])) for name, prior in priors.items()}
    return weighed, {name: len(found) for name, found in heard.items()}


def learn_faults(
    learn: Sequence[LearntClip], anomalies: Sequence[LearntClip], archive: bytes, progress: Progress
) -> FaultsLearnt:
    """Prototypes of the faults that operators named.

    Args:
        learn: Normal clips that teach.
        anomalies: All anomalous clips; those with a name count.
        archive: The bundle whose encoder hears.
        progress: Told how far it is.
    """
    learnt = FaultsLearnt()
    named: dict[str, list[LearntClip]] = defaultdict(list)
    for item in anomalies:
        if item.clip.label:
            named[item.clip.machine_type].append(item)
    ear = Ear(opened(archive)) if named else None
    for k, (machine_type, items) in enumerate(sorted(named.items()), start=1):
        assert ear is not None
        progress(k / len(named), f"faults of {machine_type}")
        normal = [item for item in learn if item.clip.machine_type == machine_type][:_MOST_NORMALS_HEARD]
        origins = [embeddings for item in normal if len(embeddings := _heard(ear, item))]
        faults = [
            HeardFault(item.clip.label or "", item.group, embeddings)
            for item in items
            if len(embeddings := _heard(ear, item))
        ]
        prototypes = fit_faults(faults, origins)
        if prototypes is not None:
            learnt.prototypes[machine_type] = prototypes
            figures = judge_faults(faults, origins)
            if figures is not None:
                learnt.figures[machine_type] = figures
    return learnt


def require_something(priors: Mapping[str, TypePrior], faults: FaultsLearnt, *, encoder: bool) -> None:
    """Refuse a bundle that would be the old one.

    Raises:
        TrainingError: Nothing was learnt.
    """
    if not priors and not faults.prototypes and not encoder:
        raise TrainingError(f"nothing to learn: no machine with {MIN_CLIPS} normal clips, no fault named twice")


def _normals(machine_type: str, machine: str, items: Sequence[LearntClip]) -> MachineNormals:
    windows = [(item.group, window) for item in items for window in item.windows]
    return MachineNormals(
        machine_type=machine_type,
        machine_id=machine.rstrip(":"),
        windows=tuple(window for _, window in windows),
        recordings=np.unique([group for group, _ in windows], return_inverse=True)[1].astype(np.int64),
    )


def _heard(ear: Ear, item: LearntClip) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.concatenate([ear.hear(window).embeddings for window in item.windows])
