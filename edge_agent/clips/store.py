"""The clips on the disk: a file, a sidecar and a row of the index each, within a quota, whole whatever happens.

A clip is there when its sidecar is: the sidecar is written last and removed first. The index is a copy of the sidecars
and is made again from them where it is damaged or behind. What a power cut leaves besides is swept at the next start.
"""

import contextlib
import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edge_agent.clips import files
from edge_agent.clips.errors import ClipError, Failure, failure_of
from edge_agent.clips.index import ClipIndex, ClipRow, DamagedIndexError, row_of, set_aside
from edge_agent.clips.reasons import Reason, Removed
from edge_agent.clips.sidecar import MAX_SIDECAR_BYTES, Sidecar, parse_sidecar
from edge_agent.clips.survey import survey
from edge_agent.durable import sync_directory

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_SUFFIXES = (files.SIDECAR, *files.PAYLOADS.values(), files.PICTURE)
_FORCED = (Reason.ALARM, Reason.REQUEST)
"""These may take the room of any clip that may be given up, whatever its worth."""


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """How much may be kept.

    Attributes:
        max_bytes: Most that all clips together take.
        min_free_bytes: Room that the file system must still have after a clip is written.
    """

    max_bytes: int = 4 << 30
    min_free_bytes: int = 2 << 30


@dataclass(frozen=True, slots=True)
class StoreStats:
    """The store's books.

    Attributes:
        clips: Number and bytes of the clips there are, by reason.
        kept: Clips written since the start, by reason.
        removed: Clips gone since the start, by why.
        failures: Operations that the disk refused, by how.
        swept: Files without a sidecar that were swept.
        unreadable: Sidecars that cannot be read; they are left for a person to look at.
        indexes_set_aside: Damaged indexes.
    """

    clips: tuple[tuple[str, int, int], ...]
    kept: tuple[tuple[str, int], ...]
    removed: tuple[tuple[str, int], ...]
    failures: tuple[tuple[str, int], ...]
    swept: int
    unreadable: int
    indexes_set_aside: int


class ClipStore:
    """`<state>/clips`: `<day>/<id>.flac|.npz`, `.json`, `.png`, and `index.db`. Any thread, several processes.

    Args:
        root: The directory; made where it is not there.
        limits: How much may be kept.
        free_bytes: Room that the file system has left.

    Raises:
        ClipError: The directory cannot be used.
    """

    def __init__(
        self, root: Path, limits: StoreLimits, *, free_bytes: Callable[[Path], int] = files.free_bytes
    ) -> None:
        self.root = root
        self._limits = limits
        self._free_bytes = free_bytes
        self._lock = threading.RLock()
        self._kept: Counter[str] = Counter()
        self._removed: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._swept = self._unreadable = self._set_aside = 0
        with self._disk("open the store"):
            root.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._index = self._open_index()

    def tidy(self) -> None:
        """Sweep what a crash left, and bring the index up to the sidecars; once, before clips are written.

        Raises:
            ClipError: The disk refuses it.
        """
        with self._changing("tidy the store"):
            self._reconcile()

    def put(self, sidecar: Sidecar, payload: bytes, picture: bytes | None = None) -> Sidecar:
        """Keep a clip, giving up clips of less value for it where there is no room.

        A random one takes the place of that of the same part of the day, once it is safe on the disk.

        Args:
            sidecar: What is known of it; hash and sizes are filled in here.
            payload: The bytes of its FLAC or `.npz` file.
            picture: A PNG, if there is one.

        Returns:
            The sidecar as written.

        Raises:
            ClipError: It was not kept: no room (`failure` is None), or the disk refused it. Nothing of it is left.
        """
        sidecar = sidecar.model_copy(
            update={
                "sha256": hashlib.sha256(payload).hexdigest(),
                "size_bytes": len(payload),
                "picture_bytes": 0 if picture is None else len(picture),
            }
        )
        row = row_of(sidecar, sidecar_bytes=len(sidecar.to_bytes()), sidecar_ns=0)
        with self._changing(f"keep clip {sidecar.id}"):
            former = self._index.in_slot(sidecar.machine, sidecar.slot) if sidecar.slot else ()
            self._make_room(row.size_bytes, below=float("inf") if sidecar.reason in _FORCED else row.rank)
            try:
                self._write(sidecar, payload, picture)
            except BaseException:
                for suffix in _SUFFIXES:
                    files.remove(self._path(sidecar.id, suffix))
                raise
            self._kept[sidecar.reason.value] += 1
            for old in former:
                if self._index.find(old.id) is not None:  # not given up for room just now
                    self._delete(old.id, Removed.REPLACED)
        return sidecar

    def rows(
        self, *, machine: str | None = None, reason: Reason | None = None, since_ns: int = 0, limit: int = -1
    ) -> tuple[ClipRow, ...]:
        """Clips, newest first."""
        return self._indexed(lambda: self._index.rows(machine=machine, reason=reason, since_ns=since_ns, limit=limit))

    def unsynced(
        self,
        *,
        settled_before: str,
        limit: int = 100,
        excluding: Collection[str] = (),
        reasons: Collection[Reason] = tuple(Reason),
    ) -> tuple[ClipRow, ...]:
        """Clips to send to the hub, the worthiest first; a random one only once its part of the day is over.

        Args:
            settled_before: The time of now, RFC 3339.
            limit: Most clips.
            excluding: Ids of clips that are not meant.
            reasons: Clips kept for one of these.
        """
        return self._indexed(
            lambda: self._index.unsynced(
                settled_before=settled_before, limit=limit, excluding=excluding, reasons=reasons
            )
        )

    def unsynced_size(self, *, settled_before: str, excluding: Collection[str] = ()) -> tuple[int, int]:
        """Number and bytes of the clips to send."""
        return self._indexed(lambda: self._index.unsynced_size(settled_before=settled_before, excluding=excluding))

    def labels_at_hub(self) -> dict[str, str | None]:
        """The label, on this gateway, of every clip that the hub has."""
        return self._indexed(lambda: self._index.labels_at_hub())  # noqa: PLW0108  (a second try is on another index)

    def find(self, clip_id: str) -> Sidecar:
        """What is known of a clip.

        Raises:
            ClipError: There is none with this id, or its sidecar cannot be read.
        """
        path = self._path(clip_id, files.SIDECAR)
        try:
            with path.open("rb") as file:
                return parse_sidecar(file.read(MAX_SIDECAR_BYTES + 1), name=str(path))
        except FileNotFoundError:
            raise ClipError(f"there is no clip {clip_id}; `edge-agent clips list` shows those there are") from None
        except OSError as error:
            raise ClipError(f"{path}: {error.strerror}; check the disk", failure_of(error)) from error

    def payload_path(self, sidecar: Sidecar) -> Path:
        """Where a clip's FLAC or `.npz` file lies."""
        return self._path(sidecar.id, files.PAYLOADS[sidecar.sound.kind])

    def picture_path(self, sidecar: Sidecar) -> Path | None:
        """Where its spectrogram lies, if it has one."""
        return self._path(sidecar.id, files.PICTURE) if sidecar.picture_bytes else None

    def change(self, clip_id: str, edit: Callable[[Sidecar], Sidecar]) -> Sidecar:
        """Pin it, label it, note that it was synced.

        Args:
            clip_id: Which one.
            edit: From the sidecar as it is now to what it is to be.

        Raises:
            ClipError: There is none with this id, or the disk refused it; then nothing changed.
        """
        with self._changing(f"change clip {clip_id}"):
            sidecar = edit(self.find(clip_id))
            self._write_sidecar(sidecar)
            return sidecar

    def delete(self, clip_id: str, why: Removed = Removed.DELETED) -> None:
        """Remove a clip, whatever it is: a person's word. Room is made elsewhere.

        Raises:
            ClipError: There is none with this id, or the disk refused it.
        """
        with self._changing(f"delete clip {clip_id}"):
            if not self._path(clip_id, files.SIDECAR).exists():
                raise ClipError(f"there is no clip {clip_id}; `edge-agent clips list` shows those there are")
            self._delete(clip_id, why)

    def verify(self) -> Iterator[tuple[str, str]]:
        """Read every clip and yield the id and the flaw of each that is not what its sidecar says."""
        for row in self.rows():
            try:
                sidecar = self.find(row.id)
                content = self.payload_path(sidecar).read_bytes()
            except ClipError as error:
                yield row.id, str(error)
            except OSError as error:
                yield row.id, f"its file: {error.strerror}"
            else:
                if hashlib.sha256(content).hexdigest() != sidecar.sha256:
                    yield row.id, "its file is not the one that was written (other SHA-256)"

    def stats(self) -> StoreStats:
        """The books now."""
        return StoreStats(
            clips=self._indexed(lambda: self._index.counts()),  # noqa: PLW0108  (a second try is on another index)
            kept=tuple(self._kept.items()),
            removed=tuple(self._removed.items()),
            failures=tuple(self._failures.items()),
            swept=self._swept,
            unreadable=self._unreadable,
            indexes_set_aside=self._set_aside,
        )

    def close(self) -> None:
        """Free the index."""
        self._index.close()

    # Everything below runs with the locks held.

    def _write(self, sidecar: Sidecar, payload: bytes, picture: bytes | None) -> None:
        directory = files.make_day(self.root, sidecar.id)
        files.write_whole(self.payload_path(sidecar), payload)
        if picture is not None:
            files.write_whole(self._path(sidecar.id, files.PICTURE), picture)
        sync_directory(directory)  # before the sidecar says that they are there
        self._write_sidecar(sidecar)

    def _write_sidecar(self, sidecar: Sidecar) -> None:
        path = self._path(sidecar.id, files.SIDECAR)
        content = sidecar.to_bytes()
        files.write_whole(path, content)
        sync_directory(path.parent)
        self._index.put(row_of(sidecar, sidecar_bytes=len(content), sidecar_ns=path.stat().st_mtime_ns))

    def _make_room(self, need: int, *, below: float) -> None:
        limits = self._limits
        over = self._index.size_bytes() + need - limits.max_bytes
        short = limits.min_free_bytes + need - self._free_bytes(self.root)
        wanted = max(over, short)
        if wanted > 0 and (need > limits.max_bytes or self._index.size_bytes(evictable_below=below) < wanted):
            raise ClipError(
                f"no room in {self.root} and nothing of less value to give up; "
                "raise clips.max_bytes, free the disk, or unpin or delete clips"
            )
        while wanted > 0 and (least := self._index.least_worth(below=below)):
            for row in least:
                self._delete(row.id, Removed.EVICTED)
                wanted -= row.size_bytes
                if wanted <= 0:
                    break

    def _delete(self, clip_id: str, why: Removed) -> None:
        self._unlink(clip_id)
        self._index.remove([clip_id])
        self._removed[why.value] += 1

    def _unlink(self, clip_id: str) -> None:
        """The sidecar first: without it the rest is swept at the next start."""
        self._path(clip_id, files.SIDECAR).unlink(missing_ok=True)
        for suffix in _SUFFIXES[1:]:
            files.remove(self._path(clip_id, suffix))

    def _reconcile(self) -> None:
        found = survey(self.root, self._index.stamps())
        self._unreadable = 0
        for path in found.orphans:
            files.remove(path)
        self._swept += len(found.orphans)
        for path in found.unread:
            self._read_again(path)
        for directory in found.empty:
            with contextlib.suppress(OSError):  # an orphan in it could not be removed: the next start tries again
                directory.rmdir()
        self._index.remove(found.gone)

    def _read_again(self, path: Path) -> None:
        try:
            sidecar = self.find(path.stem)
        except ClipError as error:
            _log.warning("clip left out: %s", error)
            self._unreadable += 1
            self._index.remove([path.stem])
            return
        if not self.payload_path(sidecar).exists():
            _log.warning("clip %s: its file is gone, it is removed", sidecar.id)
            self._delete(sidecar.id, Removed.DAMAGED)
            return
        status = path.stat()
        self._index.put(row_of(sidecar, sidecar_bytes=status.st_size, sidecar_ns=status.st_mtime_ns))

    def _open_index(self) -> ClipIndex:
        path = self.root / "index.db"
        try:
            return ClipIndex(path)
        except DamagedIndexError as error:
            return self._begin_anew(path, error)

    def _begin_anew(self, path: Path, error: DamagedIndexError) -> ClipIndex:
        target = set_aside(path)
        self._set_aside += 1
        _log.error("index of clips is damaged (%s): set aside as %s, made again from the sidecars", error, target)
        self._index = ClipIndex(path)
        self._reconcile()
        return self._index

    def _path(self, clip_id: str, suffix: str) -> Path:
        if not files.is_clip_id(clip_id):
            raise ClipError(f"{clip_id!r} is no id of a clip; `edge-agent clips list` shows those there are")
        return self.root / files.day_of(clip_id) / f"{clip_id}{suffix}"

    def _indexed(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except DamagedIndexError as error:
            with self._changing("make the index again"):
                self._index.close()
                self._begin_anew(self.root / "index.db", error)
            return read()

    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """Alone among threads and processes; what the disk refuses is counted and typed."""
        with self._lock, self._disk(what), files.held(self.root / "lock"):
            yield

    @contextmanager
    def _disk(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            failure = failure_of(error)
            self._failures[failure.value] += 1
            raise ClipError(f"cannot {what} in {self.root}: {error.strerror}; check the disk", failure) from error
        except ClipError as error:
            if error.failure is not None:
                self._failures[error.failure.value] += 1
            raise
        except DamagedIndexError as error:
            self._failures[Failure.IO_ERROR.value] += 1
            raise ClipError(f"cannot {what}: {error}; it is made again at the next start", Failure.IO_ERROR) from error
