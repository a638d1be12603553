"""One machine under one bundle: commissioned on the clips that teach, judged on those that were held out."""

import atexit
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.scorer import MachineScorer
from edge_agent.detection.states import MIN_STATE_WINDOWS
from edge_agent.inference.archive import unpack_bundle
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.priors import type_prior
from training_hub.retrain.clips import FloatArray, LearntClip

NOMINAL_SCORE = 1.0
"""One normal window in ten is meant to score above it."""
MOST_COMMISSIONING_CLIPS = 40
_OPEN_BUNDLES = 4


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that judging a machine takes; sent to whoever computes.

    Attributes:
        archive: The bundle, as a `.tar`.
        machine, machine_type: The machine.
        learn: Normal clips to commission on.
        held_out: Normal clips to judge on.
        anomalies: Anomalous clips to judge on.
        seed: Of the draws of commissioning.
    """

    archive: bytes
    machine: str
    machine_type: str
    learn: tuple[LearntClip, ...]
    held_out: tuple[LearntClip, ...]
    anomalies: tuple[LearntClip, ...]
    seed: int = 1


@dataclass(frozen=True)
class ClipScore:
    """One clip's part.

    Attributes:
        clip_id: The clip.
        group: What it belongs to.
        anomalous: What it is.
        score: Mean of its windows' scores.
        above: Share of its windows that are anomalous by the threshold.
        nominal: Share of its windows with a score that one in ten normal ones exceeds.
    """

    clip_id: str
    group: str
    anomalous: bool
    score: float
    above: float
    nominal: float


@dataclass(frozen=True)
class Judged:
    """What came of a case.

    Attributes:
        machine, machine_type: The machine.
        scores: Of every clip judged on; none where commissioning refused.
        threshold: The profile's.
        refused: Why commissioning refused.
    """

    machine: str
    machine_type: str
    scores: tuple[ClipScore, ...]
    threshold: float | None
    refused: str = ""


def judge(case: Case) -> Judged:
    """Commission the machine with the bundle, and score what was held out."""
    bundle = opened(case.archive)
    ear = Ear(bundle)
    prior = type_prior(bundle, case.machine_type)
    learn = spread(case.learn, MOST_COMMISSIONING_CLIPS)
    try:
        profile = commission(
            "machine",
            case.machine_type,
            recordings_of(learn, ear),
            prior,
            bundle=bundle.ref,
            budget=AlarmBudget(),
            created_ns=0,
            max_states=len({item.clip.state for item in learn}),  # the operator knows how the machine works
            seed=case.seed,
            hear=ear.hear,
        )
    except CommissioningError as error:
        return Judged(case.machine, case.machine_type, (), None, str(error))
    scorer = MachineScorer(profile, prior)
    scores = tuple(_score(scorer, ear, item) for item in (*case.held_out, *case.anomalies))
    return Judged(case.machine, case.machine_type, scores, profile.threshold)


class Ear:
    """Makes features of log-mel windows with a bundle's encoder; one thread's.

    Args:
        bundle: The bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._signal = bundle.manifest.signal
        self._analyser = Analyser(bundle.encoder())

    def hear(self, log_mel_db: FloatArray) -> WindowFeatures:
        """Features of a window `[frames, 128]`."""
        return self._analyser.clip(log_mel_db, self._signal).features


def recordings_of(clips: Sequence[LearntClip], ear: Ear) -> list[Recording]:
    """What commissioning takes; states are named where each is heard often enough to be learnt."""
    heard = Counter(item.clip.state for item in clips for _ in item.windows)
    named = len(heard) > 1 and min(heard.values()) >= MIN_STATE_WINDOWS
    return [
        Recording(
            name=item.clip.clip_id,
            windows=tuple(ear.hear(window) for window in item.windows),
            levels=(None,) * len(item.windows),
            state=(item.clip.state or "state_usual") if named else None,
            trusted=True,
        )
        for item in clips
    ]


def spread(clips: Sequence[LearntClip], most: int) -> list[LearntClip]:
    """At most so many clips, evenly taken."""
    if len(clips) <= most:
        return list(clips)
    return [clips[i * len(clips) // most] for i in range(most)]


def _score(scorer: MachineScorer, ear: Ear, item: LearntClip) -> ClipScore:
    verdicts = [scorer.score(ear.hear(window)) for window in item.windows]
    scores = np.array([verdict.score for verdict in verdicts])
    return ClipScore(
        clip_id=item.clip.clip_id,
        group=item.group,
        anomalous=item.clip.anomalous,
        score=float(scores.mean()),
        above=float(np.mean([verdict.is_anomalous for verdict in verdicts])),
        nominal=float(np.mean(scores >= NOMINAL_SCORE)),
    )


@lru_cache(maxsize=_OPEN_BUNDLES)
def opened(archive: bytes) -> Bundle:
    """The bundle of an archive, in a directory that is removed when the process ends."""
    directory = tempfile.mkdtemp(prefix="bundle-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    root = Path(directory) / "bundle"
    unpack_bundle(io.BytesIO(archive), root, name="bundle")
    return load_bundle(root, probe=False)
