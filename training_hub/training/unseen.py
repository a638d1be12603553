"""What an encoder is chosen by: faults of simulated machines that it never saw, found by the agent's own detector.

Individuals drawn from another seed are commissioned on ten healthy recordings; weak faults are then told from further
healthy recordings by the embedding detector alone, in quiet and amid noise that no training holds. It ranks encoders
without a look at any real test recording; on real machines it is evidence of nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.embedding import EmbeddingDetector
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.prior import DetectorPrior
from edge_agent.inference.golden import patches_of
from edge_agent.signal.settings import SignalSettings
from edge_agent.simulate import FaultKind, MachineSimulator, MachineSpec, MachineType, random_spec
from training_hub.evaluation.metrics import auc
from training_hub.evaluation.mixing import log_mel_mix
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.simulated_noise import render_noise
from training_hub.training.variants import retake

_VERSION = 1

FloatArray = NDArray[np.float32]
Embed = Callable[[FloatArray], FloatArray]
"""Patches `[n, frames, bands]` in dB to embeddings `[n, size]`."""


@dataclass(frozen=True)
class UnseenPlan:
    """How much to measure.

    Attributes:
        machines_per_type: Individuals of each type.
        learnt: Healthy recordings that each is commissioned on.
        normals: Healthy recordings that it is tested on.
        faulty: Recordings of each fault.
        severity: Range of the faults' severity.
        snr_db: Of the noisy case.
        clip_s: Length of a recording.
        seed: Which individuals; another than training's.
    """

    machines_per_type: int = 4
    learnt: int = 10
    normals: int = 8
    faulty: int = 4
    severity: tuple[float, float] = (0.1, 0.4)
    snr_db: float = 6.0
    clip_s: float = 10.0
    seed: int = 7177


@dataclass(frozen=True)
class UnseenResult:
    """Mean area under the ROC curve over machines and faults, in quiet and amid noise; `faults` were measured."""

    quiet: float
    noisy: float
    faults: int


def measure_unseen(embed: Embed, cache: FeatureCache, plan: UnseenPlan | None = None) -> UnseenResult:
    """Measure an encoder; the simulation is kept in the cache."""
    chosen = plan or UnseenPlan()
    scores: dict[bool, list[float]] = {False: [], True: []}
    for machine_type in MachineType:
        for k in range(chosen.machines_per_type):
            machine = _Machine(chosen, machine_type, k, cache)
            for noisy in scores:
                scores[noisy] += _aucs(embed, machine, noisy=noisy)
    return UnseenResult(float(np.mean(scores[False])), float(np.mean(scores[True])), len(scores[False]))


class _Machine:
    """One individual and its recordings."""

    def __init__(self, plan: UnseenPlan, machine_type: MachineType, k: int, cache: FeatureCache) -> None:
        self.plan, self._cache = plan, cache
        self._origin = [plan.seed, list(MachineType).index(machine_type), k]
        self.spec: MachineSpec = random_spec(machine_type, np.random.default_rng(self._origin), f"unseen_{k:02d}")

    def clips(self, first: int, count: int, fault: FaultKind | None = None, *, noisy: bool) -> Iterator[FloatArray]:
        """Frames of `count` recordings from number `first` on."""
        for take in range(first, first + count):
            frames = self._frames(take, fault)
            if noisy:
                origin = [*self._origin, take, *(fault.name.encode() if fault else b"")]
                rng = np.random.default_rng([*origin, 5])
                frames = log_mel_mix(frames, self._noise(origin, rng), self.plan.snr_db, rng)
            yield frames

    def _frames(self, take: int, fault: FaultKind | None) -> FloatArray:
        rate_hz = self._cache.settings.sample_rate_hz

        def render() -> FloatArray:
            rng = np.random.default_rng([*self._origin, take, *(fault.name.encode() if fault else b"")])
            simulator = MachineSimulator(retake(self.spec, rng), int(rng.integers(1 << 31)), rate_hz)
            return simulator.render(
                round(self.plan.clip_s * rate_hz), fault, float(rng.uniform(*self.plan.severity)) if fault else 0.0
            )

        what = f"{self._origin}|{take}|{fault.key if fault else ''}|{self.plan.severity}|{self.plan.clip_s}"
        return self._cache.log_mel(f"unseen|{_VERSION}|{what}", render).astype(np.float32)

    def _noise(self, origin: list[int], rng: np.random.Generator) -> FloatArray:
        kind = ("event", "stranger")[int(rng.integers(2))]
        rate_hz = self._cache.settings.sample_rate_hz
        key = f"unseen noise|{_VERSION}|{origin}|{kind}"
        return self._cache.log_mel(
            key, lambda: render_noise(kind, np.random.default_rng([*origin, 6]), rate_hz)
        ).astype(np.float32)


def _aucs(embed: Embed, machine: _Machine, *, noisy: bool) -> list[float]:
    """One area per fault of a machine."""
    plan = machine.plan
    learnt = tuple(_window(embed, frames) for frames in machine.clips(0, plan.learnt, noisy=noisy))
    numbers = np.arange(len(learnt))
    training = TrainingSet(learnt, numbers, np.zeros(len(learnt), np.int64))
    detector = EmbeddingDetector.fit(training, DetectorPrior(weight=1.0), np.random.default_rng(0))
    if detector is None:
        return []

    def score(clips: Iterator[FloatArray]) -> list[float]:
        return [detector.score(_window(embed, frames)) or 0.0 for frames in clips]

    normal = score(machine.clips(plan.learnt, plan.normals, noisy=noisy))
    found = []
    for voice in machine.spec.faults:
        odd = score(machine.clips(0, plan.faulty, voice.kind, noisy=noisy))
        found.append(auc(np.arange(len(normal) + len(odd)) >= len(normal), np.array([*normal, *odd])))
    return found


def _window(embed: Embed, frames: FloatArray) -> WindowFeatures:
    embeddings = embed(patches_of(frames, SignalSettings()))
    return WindowFeatures(frames, embeddings, np.empty((len(embeddings), 0), np.float32))
