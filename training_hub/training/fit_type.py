"""Fitting a machine type: what machines of one type have in common, learnt from normals of several."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.calibration import log_score
from edge_agent.detection.covariance import centre_of, residuals_of, shrinkage_to_diagonal
from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.embedding import EmbeddingDetector
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.floor import FloorDetector
from edge_agent.detection.gaussian import GaussianDetector
from edge_agent.detection.prior import DetectorPrior, TypePrior
from edge_agent.detection.relief import ReliefDetector
from edge_agent.detection.shape import ShapeDetector
from edge_agent.detection.texture import TextureDetector
from edge_agent.detection.transient import TransientDetector
from edge_agent.inference.bundle import GENERIC_TYPE, load_bundle
from edge_agent.inference.manifest import Manifest
from training_hub.training.bundle_writer import add_type
from training_hub.training.errors import TrainingError
from training_hub.training.normals import MachineNormals, read_normals

FloatArray = NDArray[np.float64]

MIN_CLIPS = 3
GENERIC_STRENGTH = 0.1
WEIGHTS = {
    ShapeDetector.name: 1.0,
    FloorDetector.name: 2.0,
    ReliefDetector.name: 1.0,
    TextureDetector.name: 1.0,
    TransientDetector.name: 1.0,
    EmbeddingDetector.name: 0.5,
}
_GAUSSIAN: tuple[type[GaussianDetector], ...] = (
    ShapeDetector, FloorDetector, ReliefDetector, TextureDetector, TransientDetector,
)  # fmt: skip
_MAX_SHRINKAGE = 0.3
_SPREAD_CLIPS = 10
_SPREAD_DRAWS = 5
_SPREAD_STRENGTH = 10.0
_NOISE_WEIGHT = 0.1
_DEFAULT_SPREAD = 0.5

_EMBEDDING = DetectorPrior(
    weight=WEIGHTS[EmbeddingDetector.name], spread=_DEFAULT_SPREAD, spread_strength=_SPREAD_STRENGTH
)


def fit_type(machine_type: str, sources: Sequence[Path], bundle_dir: Path, out_dir: Path) -> Manifest:
    """Fit a machine type and write a copy of a bundle that has it.

    Args:
        machine_type: Its name; `generic` fits what all machines have in common, from all types of the sources.
        sources: `manifest.csv` files and `.npz` files of log-mel clips; only their normal clips are used.
        bundle_dir: The bundle to copy.
        out_dir: The new bundle's directory; the same as `bundle_dir` to change it in place.

    Raises:
        TrainingError: Nothing to fit on, or `out_dir` is in use.
        BundleError: The bundle is damaged.
    """
    bundle = load_bundle(bundle_dir)
    if machine_type == GENERIC_TYPE:
        prior = fit_generic(read_normals(sources))
    else:
        prior = fit_prior(machine_type, read_normals(sources, machine_type))
    return add_type(bundle, machine_type, prior.to_arrays(), out_dir)


def fit_prior(name: str, machines: Sequence[MachineNormals], *, seed: int = 0) -> TypePrior:
    """Prior of one type.

    The covariance is that of windows around their own machine's centre, pooled over machines: what varies within a
    machine of this type, never what sets two machines apart.

    Args:
        name: The type.
        machines: Normals of its machines, three clips or more of at least one.
        seed: Of the draws that measure how scores spread.

    Raises:
        TrainingError: No machine has enough clips.
    """
    usable = _usable(machines, name)
    rng = np.random.default_rng(seed)
    detectors = {}
    for kind in _GAUSSIAN:
        residuals = np.concatenate([_residuals(kind, machine) for machine in usable])
        dof = len(residuals) - len(usable)
        shrinkage = float(np.clip(shrinkage_to_diagonal(residuals), 1e-3, _MAX_SHRINKAGE))
        detectors[kind.name] = DetectorPrior(
            weight=WEIGHTS[kind.name],
            covariance=_storable(residuals.T @ residuals / dof),
            strength=float(dof),
            shrinkage=shrinkage,
            noise_weight=_NOISE_WEIGHT,
            spread=_spread(kind, usable, rng),
            spread_strength=_SPREAD_STRENGTH,
        )
    detectors[EmbeddingDetector.name] = _EMBEDDING
    return TypePrior(name=name, detectors=detectors, machines=len(usable))


def fit_generic(machines: Sequence[MachineNormals], *, seed: int = 0) -> TypePrior:
    """Prior of a machine whose type nobody fitted: machines' covariances at one scale, averaged over types.

    It is worth less than one clip: how bands move together differs from type to type, so it only fills the
    directions in which the machine's own clips do not scatter at all.

    Args:
        machines: Normals of machines of many types.
        seed: Of the draws that measure how scores spread.

    Raises:
        TrainingError: No machine has enough clips.
    """
    usable = _usable(machines, GENERIC_TYPE)
    rng = np.random.default_rng(seed)
    detectors = {}
    for kind in _GAUSSIAN:
        by_type: dict[str, list[FloatArray]] = {}
        for machine in usable:
            centred = _residuals(kind, machine)
            covariance = centred.T @ centred / (len(centred) - 1)
            scale = max(float(np.trace(covariance)) / len(covariance), 1e-9)
            by_type.setdefault(machine.machine_type, []).append(covariance / scale)
        mean = np.mean([np.mean(covariances, axis=0) for covariances in by_type.values()], axis=0)
        detectors[kind.name] = DetectorPrior(
            weight=WEIGHTS[kind.name],
            covariance=_storable(mean),
            strength=GENERIC_STRENGTH,
            shrinkage=0.1,
            noise_weight=_NOISE_WEIGHT,
            spread=_spread(kind, usable, rng),
            spread_strength=_SPREAD_STRENGTH,
        )
    detectors[EmbeddingDetector.name] = _EMBEDDING
    return TypePrior(name=GENERIC_TYPE, detectors=detectors, machines=len(usable))


def _usable(machines: Sequence[MachineNormals], name: str) -> list[MachineNormals]:
    usable = [machine for machine in machines if len(machine.windows) >= MIN_CLIPS]
    if not usable:
        raise TrainingError(f"type {name!r}: no machine with {MIN_CLIPS} normal clips or more; record more")
    return usable


def _residuals(kind: type[GaussianDetector], machine: MachineNormals) -> FloatArray:
    """Deviations of a machine's windows from their own centre, `[n, d]`."""
    values = np.array([kind.statistic(window) for window in machine.windows])
    return residuals_of(values, centre_of(values, align=kind.aligns_level), align=kind.aligns_level)


def _storable(covariance: FloatArray) -> FloatArray:
    """Symmetric, positive on the diagonal, and with the bits that a float32 keeps: what was fitted is read."""
    covariance = covariance + np.diag(np.full(len(covariance), 1e-6 * float(np.trace(covariance)) / len(covariance)))
    rounded = np.tril(covariance).astype(np.float32).astype(np.float64)
    return np.asarray(rounded + np.tril(rounded, -1).T)


def _spread(kind: type[GaussianDetector], machines: Sequence[MachineNormals], rng: np.random.Generator) -> float:
    """Standard deviation of log scores of a machine's normals that a detector fitted on ten of its clips never saw."""
    variances = []
    for machine in machines:
        others = [m for m in machines if m is not machine and m.machine_type == machine.machine_type]
        prior = _covariance_of(kind, others)
        features = [_features(window) for window in machine.windows]
        count = min(_SPREAD_CLIPS, len(features) // 2)
        if count < MIN_CLIPS:
            continue
        for _ in range(_SPREAD_DRAWS):
            order = rng.permutation(len(features))
            zeros = np.zeros(count, np.int64)
            training = TrainingSet(tuple(features[i] for i in order[:count]), np.arange(count), zeros)
            detector = kind.fit(training, prior, rng)
            if detector is None:
                continue
            scores = [detector.score(features[i]) for i in order[count:]]
            logs = [log_score(score) for score in scores if score is not None]
            if len(logs) >= MIN_CLIPS:
                variances.append(float(np.var(logs, ddof=1)))
    return float(np.clip(np.sqrt(np.median(variances)), 0.05, 2.0)) if variances else _DEFAULT_SPREAD


def _covariance_of(kind: type[GaussianDetector], machines: Sequence[MachineNormals]) -> DetectorPrior:
    if not machines:
        return DetectorPrior(weight=1.0)
    residuals = np.concatenate([_residuals(kind, machine) for machine in machines])
    dof = len(residuals) - len(machines)
    return DetectorPrior(weight=1.0, covariance=_storable(residuals.T @ residuals / dof), strength=float(dof))


def _features(window: NDArray[np.float32]) -> WindowFeatures:
    nothing = np.empty((0, 1), np.float32)
    return WindowFeatures(window, nothing, nothing)
