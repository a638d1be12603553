from pathlib import Path

import numpy as np
import pytest

from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.simulated_noise import NoisePlan, render_noise, simulate_noise
from training_hub.training.unseen import UnseenPlan, measure_unseen
from training_hub.training.variants import retake, sibling

SPEC = random_spec(MachineType.PUMP, np.random.default_rng(4), "pump_4")


def test_a_retake_changes_what_surrounds_the_machine_and_nothing_else() -> None:
    other = retake(SPEC, np.random.default_rng(1))
    assert other.surroundings != SPEC.surroundings
    assert (other.sound, other.drive, other.modes, other.room) == (SPEC.sound, SPEC.drive, SPEC.modes, SPEC.room)


def test_a_sibling_stands_in_the_same_place_and_sounds_a_little_different() -> None:
    other = sibling(SPEC, np.random.default_rng(1))
    assert (other.room, other.microphone, other.surroundings) == (SPEC.room, SPEC.microphone, SPEC.surroundings)
    assert other.sound != SPEC.sound
    assert other.drive.shaft_hz == pytest.approx(SPEC.drive.shaft_hz, rel=0.15)
    assert np.isfinite(MachineSimulator(other, 1).render(16_000)).all()


@pytest.mark.parametrize("kind", ["coloured", "event", "stranger"])
@pytest.mark.parametrize("seed", range(4))
def test_background_is_sound_of_one_length_and_never_silent(kind: str, seed: int) -> None:
    samples = render_noise(kind, np.random.default_rng(seed), 16_000)
    assert samples.shape == (160_000,)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert np.sqrt(np.mean(samples**2)) > 1e-3


def test_background_is_the_same_from_the_same_seed_and_no_two_recordings_are(tmp_path: Path) -> None:
    plan = NoisePlan(coloured=2, events=2, strangers_per_type=1)
    first, second = (simulate_noise(plan, 3, FeatureCache(tmp_path / name)) for name in "ab")
    assert len({r.machine_id for r in first}) == len(first) == 11
    assert len({r.log_mel_db.tobytes() for r in first}) == 11
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.log_mel_db, other.log_mel_db)


def test_an_embedding_that_hears_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    plan = UnseenPlan(machines_per_type=1, learnt=4, normals=3, faulty=2, severity=(0.9, 1.0), clip_s=4.0)
    cache = FeatureCache(tmp_path)
    rng = np.random.default_rng(1)
    spectrum = measure_unseen(lambda patches: patches.mean(1) - patches.mean((1, 2))[:, None], cache, plan)
    chance = measure_unseen(lambda patches: rng.normal(size=(len(patches), 8)).astype(np.float32), cache, plan)
    assert spectrum.faults == chance.faults == 19
    assert spectrum.quiet > 0.8
    assert abs(chance.quiet - 0.5) < 0.2
    assert spectrum.quiet > spectrum.noisy
