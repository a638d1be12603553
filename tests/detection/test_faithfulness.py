"""An explanation that is true: without the bands that it names the score falls more than without any others.

The faults are simulated, and a fault's sound is added to the very same healthy sound, so that a band can really be
taken away: the frames of the healthy machine take its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.scorer import MachineScorer
from edge_agent.detection.third_octave import ThirdOctaves
from edge_agent.inference.bundle import load_bundle
from edge_agent.pipeline.priors import type_prior
from edge_agent.signal.logmel import log_mel_db
from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from tests.detection.conftest import BUNDLE
from tests.support.agent import BUNDLE as SHIPPED

pytestmark = pytest.mark.xdist_group("faithfulness")  # what is learnt is learnt once

OCTAVES = ThirdOctaves()
WINDOW = 160_000
STEP = 10**0.1 * 1.001  # a third octave
MACHINES = (MachineType.FAN, MachineType.PUMP, MachineType.GEARBOX, MachineType.COMPRESSOR)
SEVERITY = 0.6
_BROAD = 12.0


@dataclass(frozen=True)
class Case:
    """One faulty window: what was named, how many sets of as many bands leave a lower score, the fault's band."""

    fault: str
    named_hz: tuple[float, ...]
    better_sets: int
    drop: float
    band_hz: tuple[float, float]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [case for machine in MACHINES for case in _cases(machine)]


def _cases(machine: MachineType) -> Iterator[Case]:
    spec = random_spec(machine, np.random.default_rng([5, 7]))
    prior = type_prior(load_bundle(SHIPPED), "generic")
    recordings = [
        Recording(f"{seed}.wav", (_window(MachineSimulator(spec, seed=100 + seed).render(WINDOW)),), (None,))
        for seed in range(12)
    ]
    profile = commission(machine.value, machine.value, recordings, prior, BUNDLE, AlarmBudget(), created_ns=0)
    scorer = MachineScorer(profile, prior)
    healthy = _window(MachineSimulator(spec, seed=500).render(WINDOW)).log_mel_db
    for voice in spec.faults:
        faulty = _window(MachineSimulator(spec, seed=500).render(WINDOW, voice.kind, SEVERITY))
        verdict = scorer.score(faulty)
        if not verdict.is_anomalous:
            continue
        named = tuple(sorted(hz for change in verdict.changes for hz in change.bands_hz))
        left = {bands: scorer.score(_without(faulty, healthy, bands)).score for bands in _sets(len(named))}
        better = sum(score < left[named] for score in left.values())
        yield Case(voice.kind.key, named, better, verdict.score - left[named], voice.band_hz)


def _window(samples: np.ndarray) -> WindowFeatures:
    none = np.zeros((0, 0), np.float32)  # embeddings cannot be taken away by bands; the other detectors speak
    return WindowFeatures(log_mel_db(samples), none, none)


def _sets(count: int) -> Iterator[tuple[float, ...]]:
    return combinations(OCTAVES.centres_hz, count)


def _without(faulty: WindowFeatures, healthy: np.ndarray, bands_hz: tuple[float, ...]) -> WindowFeatures:
    frames = faulty.log_mel_db.copy()
    for centre_hz in bands_hz:
        mel = OCTAVES.mel_bands(centre_hz)
        frames[:, mel] = healthy[:, mel]
    return WindowFeatures(frames, faulty.embeddings, faulty.logits)


def test_the_faults_are_found_and_explained(cases: list[Case]) -> None:
    assert len(cases) >= 10
    assert all(case.named_hz for case in cases)


def test_taking_the_named_bands_away_lowers_the_score_most(cases: list[Case]) -> None:
    """Of all sets of one or two third octaves, 19 or 171, the named one is the very best in five cases of six."""
    best = [case.better_sets == 0 for case in cases]
    assert np.mean(best) >= 5 / 6, [case for case in cases if case.better_sets]
    # a fault of four octaves (gearbox wear, 0.5 to 7.4 kHz) is in no two third octaves: half of it is left
    assert all(case.drop > 0 for case in cases if case.band_hz[1] < _BROAD * case.band_hz[0])


def test_the_named_bands_are_the_faults(cases: list[Case]) -> None:
    for case in cases:
        low, high = case.band_hz
        assert all(low / STEP <= hz <= high * STEP for hz in case.named_hz), case
