"""Features of catalogued clips: those that are not kept yet are computed, wherever the settings say."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from training_hub.compute.compute import Compute
from training_hub.features.decode import ClipBytes, frames_of
from training_hub.features.store import FeatureKey, FeatureStore
from training_hub.features.table import FloatArray
from training_hub.storage.errors import StorageError
from training_hub.storage.objects import ObjectStore

_CLIPS_PER_FILE = 128

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Extracted:
    """What came of it.

    Attributes:
        kept: Clips that had features already.
        computed: Clips that have some now.
        flawed: Why others have none, by the clip's SHA-256.
    """

    kept: int
    computed: int
    flawed: Mapping[str, str]


def extract(
    clips: Mapping[FeatureKey, str],
    objects: ObjectStore,
    store: FeatureStore,
    compute: Compute,
    progress: Progress = lambda _share, _message: None,
) -> Extracted:
    """Compute what is missing.

    Args:
        clips: Where features belong, and the clip's kind: `audio` or `log_mel`.
        objects: The clips' files. They are read here and sent along: whoever computes needs no key to the store.
        store: Where features are kept.
        compute: Who computes.
        progress: Told how far it is; may raise to end it, and what is kept by then stays.

    Raises:
        FeatureError, ComputeError: Features cannot be kept, or workers were lost.
    """
    missing = store.missing(clips)
    flawed: dict[str, str] = {}
    keys = {key.sha256: key for key in missing}
    batch: dict[FeatureKey, FloatArray] = {}
    done = 0
    for heard in compute.map(frames_of, _contents(missing, clips, objects, flawed)):
        done += 1
        key = keys[heard.sha256]
        if heard.log_mel_db is None:
            flawed[heard.sha256] = heard.flaw
        else:
            # in the order of partitions: a new one closes the last
            if batch and (_partition(next(iter(batch))) != _partition(key) or len(batch) >= _CLIPS_PER_FILE):
                store.add(batch)
                batch = {}
            batch[key] = heard.log_mel_db
        progress(done / len(missing), f"{done} of {len(missing)} clips heard")
    if batch:
        store.add(batch)
    return Extracted(len(clips) - len(missing), len(missing) - len(flawed), flawed)


def load_or_extract(
    clips: Mapping[FeatureKey, str],
    objects: ObjectStore,
    store: FeatureStore,
    compute: Compute,
    progress: Progress = lambda _share, _message: None,
) -> tuple[dict[str, FloatArray], Mapping[str, str]]:
    """Frames `[frames, 128]` by the clip's SHA-256, computed where they are missing, and why others have none."""
    extracted = extract(clips, objects, store, compute, progress)
    return {key.sha256: frames for key, frames in store.load(clips)}, extracted.flawed


def _contents(
    missing: Iterable[FeatureKey], clips: Mapping[FeatureKey, str], objects: ObjectStore, flawed: dict[str, str]
) -> Iterator[ClipBytes]:
    for key in missing:
        try:
            yield ClipBytes(key.sha256, clips[key], objects.get(key.sha256))
        except StorageError as error:
            flawed[key.sha256] = str(error)


def _partition(key: FeatureKey) -> tuple[str, str, object]:
    return key.site, key.machine, key.day
