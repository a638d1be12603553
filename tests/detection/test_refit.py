"""A profile fitted anew for another encoder, on the sound it was fitted on before."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.normals import Normals, Source
from edge_agent.detection.profile import Profile
from edge_agent.detection.refit import refit
from edge_agent.detection.scorer import MachineScorer
from edge_agent.inference.manifest import BundleRef
from tests.detection import sounds

OLD, NEW = (
    BundleRef(name="test", version=version, sha256=digest * 64) for version, digest in (("1.0.0", "0"), ("2.0.0", "1"))
)
OLD_SOURCE, NEW_SOURCE = Source("a" * 64, "b" * 64), Source("a" * 64, "c" * 64)
BUDGET = AlarmBudget(raise_after=3, raise_within=5, background_margin=False)


def learnt(recordings: list[Recording], max_states: int = 1) -> tuple[Profile, Normals]:
    profile = commission("m", "t", recordings, sounds.prior(), OLD, BUDGET, created_ns=1, max_states=max_states)
    return replace(profile, normals=("d" * 64,)), Normals.of(OLD_SOURCE, recordings)


def hear(log_mel_db: NDArray[np.float32]) -> WindowFeatures:
    """Another encoder: embeddings of another size, from the spectrum."""
    spectrum = log_mel_db.mean(axis=0)
    embeddings = np.stack([spectrum[i : i + 96 : 3] for i in range(8)]).astype(np.float32)
    return sounds.features(log_mel_db, embeddings)


def again(profile: Profile, kept: list[Normals], source: Source = NEW_SOURCE) -> tuple[Profile, tuple[Normals, ...]]:
    return refit(profile, kept, sounds.prior(), sounds.prior(), NEW, source, hear, created_ns=2)


def test_the_new_profile_knows_the_machine_by_the_new_encoder() -> None:
    profile, normals = learnt([sounds.recording(seed) for seed in range(12)])
    fitted, kept = again(profile, [normals])
    assert (fitted.machine_id, fitted.bundle, fitted.created_ns, fitted.budget) == ("m", NEW, 2, BUDGET)
    assert [one.source for one in kept] == [NEW_SOURCE]
    assert kept[0].windows == normals.windows
    assert kept[0].recordings[0].windows[0].embeddings.shape == (8, 32)
    scorer = MachineScorer(fitted, sounds.prior())
    normal = [scorer.score(hear(sounds.window(500 + k).log_mel_db)) for k in range(20)]
    odd = [
        scorer.score(hear(sounds.window(500 + k, change_db=4.0 * np.sin(np.arange(128) / 7)).log_mel_db))
        for k in range(20)
    ]
    assert sum(verdict.is_anomalous for verdict in odd) > 15 > sum(verdict.is_anomalous for verdict in normal)


def test_the_same_encoder_needs_no_second_hearing() -> None:
    profile, normals = learnt([sounds.recording(seed) for seed in range(12)])
    _, kept = again(profile, [normals], OLD_SOURCE)
    np.testing.assert_array_equal(
        kept[0].recordings[0].windows[0].embeddings, normals.recordings[0].windows[0].embeddings
    )


def test_without_kept_normals_or_with_other_signal_settings_it_is_refused() -> None:
    profile, normals = learnt([sounds.recording(seed) for seed in range(12)])
    with pytest.raises(DetectionError, match="commission it again"):
        again(profile, [])
    with pytest.raises(DetectionError, match="signal settings"):
        again(profile, [normals], Source("e" * 64, "c" * 64))


def test_operating_states_keep_their_names() -> None:
    slow = [replace(sounds.recording(seed), state="slow") for seed in range(10)]
    fast = [replace(sounds.recording(50 + seed, machine=1), state="fast") for seed in range(10)]
    profile, normals = learnt([*slow, *fast], max_states=2)
    fitted, _ = again(profile, [normals])
    assert {state.name for state in fitted.states} == {state.name for state in profile.states} == {"slow", "fast"}
