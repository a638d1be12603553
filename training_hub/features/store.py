"""Features on disk or in a bucket: Parquet files by signal hash, machine and day, found again by the clip's hash."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import quote

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError
from obstore.exceptions import BaseError as ObstoreError

from edge_agent.signal.settings import SignalSettings
from training_hub.features.errors import FeatureError
from training_hub.features.table import FloatArray, Precision, frames_in, hashes_in, parquet_bytes

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Store

_log = logging.getLogger(__name__)

_ROOT = "features"


@dataclass(frozen=True)
class FeatureKey:
    """Where a clip's features belong.

    Attributes:
        sha256: Of the clip.
        site, machine: Whose sound it is.
        day: On which it was heard, UTC.
    """

    sha256: str
    site: str
    machine: str
    day: date


class FeatureStore:
    """Features of clips. Any thread; several processes.

    A file is written whole or not at all and named after the clips in it, so that two who write the same write one. A
    damaged file is removed, with a warning: what it held is computed again.

    Args:
        store: A directory or bucket.
        settings: The signal contract; another one has files of its own.
        precision: Of what is written.
    """

    def __init__(
        self, store: "Store", settings: SignalSettings | None = None, precision: Precision = "float32"
    ) -> None:
        self._store, self._precision = store, precision
        self._signal = (settings or SignalSettings()).hash[:16]
        self._known: dict[str, list[str]] = {}
        self.damaged_files = 0

    def missing(self, keys: Iterable[FeatureKey]) -> list[FeatureKey]:
        """Those that nothing is kept of, by partition."""
        absent = []
        for partition, wanted in self._by_partition(keys).items():
            known = set().union(*(hashes for _, hashes in self._files(partition)))
            absent += [key for key in wanted if key.sha256 not in known]
        return absent

    def load(self, keys: Iterable[FeatureKey]) -> Iterator[tuple[FeatureKey, FloatArray]]:
        """Frames `[frames, 128]` of those that are kept, by partition; a file's worth in memory at a time.

        Raises:
            FeatureError: The store cannot be read.
        """
        for partition, keys_here in self._by_partition(keys).items():
            wanted = {key.sha256: key for key in keys_here}
            for path, hashes in self._files(partition):
                if wanted.keys().isdisjoint(hashes):
                    continue
                for sha256, frames in self._frames(path).items():
                    key = wanted.pop(sha256, None)
                    if key is not None:
                        yield key, frames

    def add(self, clips: Mapping[FeatureKey, FloatArray]) -> None:
        """Keep frames `[frames, 128]` of clips.

        Raises:
            FeatureError: The store refused them.
        """
        for partition, keys in self._by_partition(clips).items():
            content = parquet_bytes({key.sha256: clips[key] for key in keys}, self._precision)
            named = hashlib.sha256("\n".join(sorted(key.sha256 for key in keys)).encode()).hexdigest()
            try:
                obstore.put(self._store, f"{partition}/{named[:32]}.parquet", content, mode="create")
            except AlreadyExistsError:
                continue
            except ObstoreError as error:
                raise FeatureError(f"features of {partition} cannot be stored: {error}") from error

    def _by_partition(self, keys: Iterable[FeatureKey]) -> dict[str, list[FeatureKey]]:
        found: dict[str, list[FeatureKey]] = defaultdict(list)
        for key in dict.fromkeys(keys):
            machine = quote(f"{key.site}/{key.machine}", safe="")
            found[f"{_ROOT}/signal={self._signal}/machine={machine}/day={key.day.isoformat()}"].append(key)
        return {partition: found[partition] for partition in sorted(found)}

    def _files(self, partition: str) -> list[tuple[str, list[str]]]:
        """Files of a partition with the clips in them; a file never changes, so its clips are read once."""
        try:
            listed = [meta["path"] for chunk in obstore.list(self._store, f"{partition}/") for meta in chunk]
        except ObstoreError as error:
            raise FeatureError(f"{partition} cannot be listed: {error}") from error
        found = []
        for path in sorted(listed):
            if path not in self._known:
                content = self._content(path)
                if content is None:
                    continue
                try:
                    self._known[path] = hashes_in(content, name=path)
                except FeatureError as error:
                    self._remove(path, error)
                    continue
            found.append((path, self._known[path]))
        return found

    def _frames(self, path: str) -> dict[str, FloatArray]:
        content = self._content(path)
        if content is None:
            return {}
        try:
            return frames_in(content, name=path)
        except FeatureError as error:
            self._remove(path, error)
            return {}

    def _content(self, path: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._store, path).bytes())
        except (NotFoundError, FileNotFoundError):
            self._known.pop(path, None)
            return None
        except ObstoreError as error:
            raise FeatureError(f"{path} cannot be read: {error}") from error

    def _remove(self, path: str, error: FeatureError) -> None:
        _log.warning("%s; it is removed, and what it held is computed again", error)
        self.damaged_files += 1
        self._known.pop(path, None)
        obstore.delete(self._store, path)
