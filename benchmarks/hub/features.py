"""Features of 2,000 clips: one process, local threads, a Dask cluster one of whose workers is killed half way.

    python benchmarks/hub/features.py [--clips 2000] [--seconds 10] [--workers 2]

Prints clips a second of each, and exits 1 where a result is missing or off by more than 1e-4 dB.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from edge_agent.clips.encode import flac_bytes
from tests.support.cluster import running_cluster
from training_hub.compute.cluster import DaskCompute
from training_hub.compute.compute import Compute
from training_hub.compute.local import LocalCompute
from training_hub.features.decode import AUDIO
from training_hub.features.extract import Progress, extract
from training_hub.features.store import FeatureKey, FeatureStore
from training_hub.storage.objects import ObjectStore, open_store

TOLERANCE_DB = 1e-4


def stored_clips(objects: ObjectStore, count: int, seconds: float) -> dict[FeatureKey, str]:
    """Pink-ish noise of twenty machines over ten days."""
    rng = np.random.default_rng(1)
    clips = {}
    for k in range(count):
        white = rng.standard_normal(round(16_000 * seconds))
        samples = (1500 * np.convolve(white, np.exp(-np.arange(24) / 6.0), "same")).astype(np.int16)
        content = flac_bytes(samples)
        sha256 = hashlib.sha256(content).hexdigest()
        objects.put(sha256, content)
        clips[FeatureKey(sha256, "plant_1", f"pump_{k % 20:02d}", date(2026, 3, 1) + timedelta(days=k % 10))] = AUDIO
    return clips


def measured(
    what: str, *, root: Path, clips: dict[FeatureKey, str], objects: ObjectStore, compute: Compute, progress: Progress
) -> FeatureStore:
    """Compute all features anew, and print how fast."""
    store = FeatureStore(open_store(f"file://{root / what.replace(' ', '_')}"))
    started_s = time.monotonic()
    extracted = extract(clips, objects, store, compute, progress)
    spent_s = time.monotonic() - started_s
    if extracted.computed != len(clips):
        sys.exit(f"{what}: {extracted.computed} of {len(clips)} clips; {dict(extracted.flawed)}")
    print(f"{what:<44} {spent_s:7.1f} s  {len(clips) / spent_s:7.1f} clips/s", flush=True)
    return store


def largest_difference_db(one: FeatureStore, other: FeatureStore, clips: dict[FeatureKey, str]) -> float:
    """Over all frames of all clips; both stores list partitions and clips alike."""
    frames = {key: found for key, found in other.load(clips)}
    if frames.keys() != clips.keys():
        sys.exit(f"{len(clips) - len(frames)} clips are missing")
    return max(float(np.abs(frames[key] - expected).max()) for key, expected in one.load(clips))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    quiet: Progress = lambda _share, _message: None  # noqa: E731
    with tempfile.TemporaryDirectory(prefix="features-") as name:
        root = Path(name)
        objects = ObjectStore(f"file://{root}/store")
        clips = stored_clips(objects, arguments.clips, arguments.seconds)
        print(f"{len(clips)} clips of {arguments.seconds:g} s")
        alone = measured(
            "one process, one thread",
            root=root,
            clips=clips,
            objects=objects,
            compute=LocalCompute("threads", 1),
            progress=quiet,
        )
        workers = arguments.workers
        measured(
            f"{workers} local threads",
            root=root,
            clips=clips,
            objects=objects,
            compute=LocalCompute("threads", workers),
            progress=quiet,
        )
        with running_cluster(workers) as (address, _), DaskCompute(address) as compute:
            measured(
                f"Dask, {workers} workers", root=root, clips=clips, objects=objects, compute=compute, progress=quiet
            )
        with running_cluster(workers) as (address, processes), DaskCompute(address) as compute:

            def progress(share: float, _message: str) -> None:
                if share >= 0.5 and processes[0].poll() is None:
                    processes[0].kill()

            spread = measured(
                f"Dask, {workers} workers, one killed half way",
                root=root,
                clips=clips,
                objects=objects,
                compute=compute,
                progress=progress,
            )
        difference_db = largest_difference_db(alone, spread, clips)
    print(f"all {len(clips)} clips are there; largest difference from the local ones: {difference_db:.1e} dB")
    return 0 if difference_db <= TOLERANCE_DB else 1


if __name__ == "__main__":
    sys.exit(main())
