from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_agent.signal.settings import SignalSettings
from training_hub.training.dataset import Mix, TrainingSet, build_training_set, held_out_patches, load_recordings
from training_hub.training.errors import TrainingError
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.recording import Recording
from training_hub.training.simulated import SimulationPlan
from training_hub.training.simulated_noise import NoisePlan
from training_hub.training.splits import teaches_background

SMALL = SimulationPlan(
    machines_per_type=1,
    recordings=2,
    recording_s=3.0,
    idle_every=2,
    faulty=1,
    siblings=1,
    sibling_recordings=1,
    noise=NoisePlan(coloured=1, events=1, strangers_per_type=1),
)


def test_labels_are_sorted_and_background_is_none(training_set: TrainingSet) -> None:
    assert [label.machine_id for label in training_set.labels] == ["sim_m0", "sim_m1", "sim_m2", "sim_m3"]
    assert set(training_set.train.labels) == {0, 1, 2, 3}
    assert set(training_set.noise.labels) == {-1}


def test_a_machines_conditions_are_classes_of_one_label(recordings: list[Recording]) -> None:
    from dataclasses import replace

    faulty = [replace(r, condition="fault_imbalance", group=r.group + "f") for r in recordings if "m1" in r.machine_id]
    data = build_training_set([*recordings, *faulty], SignalSettings())
    assert data.class_labels.tolist() == [0, 1, 1, 2, 3]
    assert (data.class_labels[data.train.classes] == data.train.labels).all()


def test_the_layout_holds_every_frame_of_every_training_recording(
    training_set: TrainingSet, recordings: list[Recording]
) -> None:
    corpus = training_set.train
    assert len(corpus.frames) == corpus.lengths.sum() == 16 * 120
    by_bytes = {r.log_mel_db.tobytes(): r.machine_id for r in recordings}
    for start, length, label in zip(corpus.starts, corpus.lengths, corpus.labels, strict=True):
        machine = by_bytes[corpus.frames[start : start + length].tobytes()]
        assert machine == training_set.labels[label].machine_id


def test_recordings_shorter_than_a_patch_are_counted(recordings: list[Recording]) -> None:
    from dataclasses import replace

    short = replace(recordings[0], name="short", log_mel_db=recordings[0].log_mel_db[:63])
    assert build_training_set([*recordings, short], SignalSettings()).skipped == 1


def test_too_little_to_train_on_is_an_error(recordings: list[Recording]) -> None:
    with pytest.raises(TrainingError, match="1 machines"):
        build_training_set([r for r in recordings if r.machine_id in ("sim_m0", "noise_0")], SignalSettings())
    with pytest.raises(TrainingError, match="0 background"):
        build_training_set([r for r in recordings if not r.is_background], SignalSettings())


def test_simulated_machines_alone_make_a_training_set(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    recordings = load_recordings(Mix.CLEAN, cache, data=None, plan=SMALL)
    data = build_training_set(recordings, cache.settings)
    assert len(data.labels) == 7
    assert {r.condition for r in recordings} > {"normal", "state_idle", "background", "fault_imbalance", "sibling_0"}
    assert len(data.class_labels) > 7
    assert {source.name for source in data.sources} == {"simulated machines and noise"}
    again = load_recordings(Mix.CLEAN, FeatureCache(tmp_path / "other"), data=None, plan=SMALL)
    for first, second in zip(recordings, again, strict=True):
        np.testing.assert_array_equal(first.log_mel_db, second.log_mel_db)


def test_held_out_patches_lie_on_the_agents_grid(recordings: list[Recording]) -> None:
    patches = held_out_patches(recordings[0], SignalSettings())
    np.testing.assert_array_equal(patches[1], recordings[0].log_mel_db[32:96].astype(np.float32))
    assert len(patches) == 2


def test_left_out_types_and_every_second_background_stay_unseen(tmp_path: Path) -> None:
    rows = [("hum", "fan", "fan_1", "normal"), ("buzz", "drone", "drone_1", "normal")]
    rows += [(f"rain_{k}", "background", "rain", "background") for k in range(6)]
    for k, (name, *_) in enumerate(rows):
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(k).normal(0, 0.1, 40_000), 16_000)
    lines = [f"{name}.wav,{kind},{machine},{condition},{name},none stated" for name, kind, machine, condition in rows]
    (tmp_path / "manifest.csv").write_text("\n".join(["file,machine_type,machine_id,condition,group,licence", *lines]))
    cache = FeatureCache(tmp_path / "cache")
    found = load_recordings(Mix.ALL, cache, data=tmp_path, plan=SMALL, unseen_types=("drone",))
    names = {r.group for r in found if r.licence == "none stated"}
    taught = {f"rain_{k}" for k in range(6) if teaches_background(f"rain_{k}")}
    assert names == {"hum", *taught}
    assert 0 < len(taught) < 6
