"""Features: computed once, whole or not at all, the same wherever they are computed."""

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow.dataset as ds
import pytest

from edge_agent.signal.logmel import log_mel_db
from tests.support.cluster import running_cluster
from tests.training_hub.features.clips import stored_clips, stored_log_mel
from training_hub.compute.cluster import DaskCompute
from training_hub.compute.local import LocalCompute
from training_hub.features.extract import extract, load_or_extract
from training_hub.features.store import FeatureKey, FeatureStore
from training_hub.jobs.context import JobCancelledError
from training_hub.storage.objects import ObjectStore, open_store
from training_hub.training.recorded import read_mono

Item = TypeVar("Item")
Result = TypeVar("Result")


class Counting(LocalCompute):
    """Counts what it computes."""

    def __init__(self) -> None:
        super().__init__("threads", 2)
        self.count = 0

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        for result in super().map(function, items):
            self.count += 1
            yield result


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(f"file://{tmp_path}/store")


def kept_in(tmp_path: Path, name: str = "store", **options: object) -> FeatureStore:
    return FeatureStore(open_store(f"file://{tmp_path}/{name}"), **options)  # type: ignore[arg-type]


def test_features_are_the_agents_own(tmp_path: Path, objects: ObjectStore) -> None:
    clips = stored_clips(objects, 4)
    frames, flawed = load_or_extract(clips, objects, kept_in(tmp_path), LocalCompute())
    assert not flawed and len(frames) == 4
    for sha256, found in frames.items():
        path = tmp_path / "one.flac"
        path.write_bytes(objects.get(sha256))
        np.testing.assert_array_equal(found, log_mel_db(read_mono(path, 16_000)))


def test_nothing_is_computed_twice(tmp_path: Path, objects: ObjectStore) -> None:
    clips, compute = stored_clips(objects, 12), Counting()
    first = extract(dict(list(clips.items())[:7]), objects, kept_in(tmp_path), compute)
    assert (first.kept, first.computed, compute.count) == (0, 7, 7)
    store = kept_in(tmp_path)
    second = extract(clips, objects, store, compute)
    assert (second.kept, second.computed, compute.count) == (7, 5, 12)
    assert extract(clips, objects, store, compute).kept == 12
    assert compute.count == 12
    assert not store.missing(clips)


def test_another_signal_contract_has_files_of_its_own(tmp_path: Path, objects: ObjectStore) -> None:
    from dataclasses import replace

    from edge_agent.signal.settings import SignalSettings

    clips = stored_clips(objects, 2)
    extract(clips, objects, kept_in(tmp_path), LocalCompute())
    assert len(kept_in(tmp_path, settings=replace(SignalSettings(), hop_samples=256)).missing(clips)) == 2


def test_files_are_a_dataset_by_signal_machine_and_day(tmp_path: Path, objects: ObjectStore) -> None:
    clips = stored_clips(objects, 6)
    extract(clips, objects, kept_in(tmp_path), LocalCompute())
    table = ds.dataset(tmp_path / "store" / "features", format="parquet", partitioning="hive").to_table()
    assert set(table["sha256"].to_pylist()) == {key.sha256 for key in clips}
    assert set(table["day"].to_pylist()) == {"2026-03-01", "2026-03-02", "2026-03-03"}
    assert set(table["machine"].to_pylist()) == {"plant_1/pump_0", "plant_1/pump_1"}
    assert str(table.schema.field("log_mel_db").type).startswith("list<element: fixed_size_list<element: float")


def test_half_precision_is_off_by_what_it_says(tmp_path: Path, objects: ObjectStore) -> None:
    clips = stored_clips(objects, 3)
    exact, _ = load_or_extract(clips, objects, kept_in(tmp_path), LocalCompute())
    half, _ = load_or_extract(clips, objects, kept_in(tmp_path, "half", precision="float16"), LocalCompute())
    for sha256, frames in exact.items():
        assert 0 < np.abs(half[sha256] - frames).max() <= 0.0313


def test_a_clip_of_frames_is_kept_as_it_came(tmp_path: Path, objects: ObjectStore) -> None:
    sent = np.linspace(-90, 0, 128 * 70, dtype=np.float32).reshape(70, 128)
    clips = stored_log_mel(objects, sent.tolist())
    frames, _ = load_or_extract(clips, objects, kept_in(tmp_path), LocalCompute())
    np.testing.assert_array_equal(next(iter(frames.values())), sent.astype(np.float16).astype(np.float32))


def test_what_is_no_sound_is_named_and_stops_nothing(tmp_path: Path, objects: ObjectStore) -> None:
    import hashlib

    clips = stored_clips(objects, 3)
    hostile = b"RIFF" + bytes(60)
    bad = hashlib.sha256(hostile).hexdigest()
    objects.put(bad, hostile)
    somewhere = next(iter(clips))
    absent = "0" * 64
    clips |= {FeatureKey(sha, somewhere.site, somewhere.machine, somewhere.day): "audio" for sha in (bad, absent)}
    frames, flawed = load_or_extract(clips, objects, kept_in(tmp_path), LocalCompute())
    assert len(frames) == 3
    assert set(flawed) == {bad, absent}
    assert "give WAV or FLAC" in flawed[bad] and "there is no object" in flawed[absent]


def test_a_damaged_file_is_computed_again(tmp_path: Path, objects: ObjectStore) -> None:
    clips = stored_clips(objects, 6)
    extract(clips, objects, kept_in(tmp_path), LocalCompute())
    victim = next((tmp_path / "store" / "features").rglob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:100])
    store = kept_in(tmp_path)
    again = extract(clips, objects, store, LocalCompute())
    assert again.computed == 1 and store.damaged_files == 1
    assert len(list(store.load(clips))) == 6


def test_what_was_done_before_it_was_cancelled_stays(tmp_path: Path, objects: ObjectStore) -> None:
    clips = stored_clips(objects, 12, machines=4)

    def progress(share: float, _message: str) -> None:
        if share > 0.7:
            raise JobCancelledError("enough")

    with pytest.raises(JobCancelledError):
        extract(clips, objects, kept_in(tmp_path), LocalCompute(), progress)
    left = len(kept_in(tmp_path).missing(clips))
    assert 0 < left < 12
    assert extract(clips, objects, kept_in(tmp_path), LocalCompute()).computed == left


def test_all_results_come_though_a_worker_is_killed_half_way(tmp_path: Path, objects: ObjectStore) -> None:
    """The short form of `benchmarks/hub/features.py`."""
    clips = stored_clips(objects, 120)
    expected, _ = load_or_extract(clips, objects, kept_in(tmp_path), LocalCompute())
    killed = threading.Event()
    with running_cluster(2) as (address, workers), DaskCompute(address) as compute:

        def progress(share: float, _message: str) -> None:
            if share >= 0.5 and not killed.is_set():
                workers[0].kill()
                killed.set()

        found, flawed = load_or_extract(clips, objects, kept_in(tmp_path, "apart"), compute, progress)
    assert killed.is_set() and not flawed
    assert found.keys() == expected.keys()
    for sha256, frames in expected.items():
        assert np.abs(found[sha256] - frames).max() <= 1e-4
