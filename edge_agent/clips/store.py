"""The clips on the disk: a file, a sidecar and a row of the index each, within a quota, whole whatever happens.

A clip is there when its sidecar is: the sidecar is written last and removed first. The index is a copy of the sidecars
and is made again from them where it is damaged or behind. What a power cut leaves besides is swept at the next start.
"""

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from edge_agent.clips import files
from edge_agent.clips.books import Books, StoreLimits, StoreStats
from edge_agent.clips.errors import ClipError, Failure, failure_of
from edge_agent.clips.index import ClipIndex, ClipRow, DamagedIndexError, row_of, set_aside
from edge_agent.clips.reasons import Reason, Removed
from edge_agent.clips.shelf import ClipShelf, no_such_clip
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.survey import survey

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_FORCED = (Reason.ALARM, Reason.REQUEST)
"""These may take the room of any clip that may be given up, whatever its worth."""


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
        self._shelf = ClipShelf(root)
        self._books = Books()
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
            written = self._shelf.write(sidecar, payload, picture)
            try:
                self._index.put(written)
            except BaseException:
                self._shelf.discard(sidecar.id)
                raise
            self._books.kept[sidecar.reason.value] += 1
            for old in former:
                if self._index.find(old.id) is not None:  # not given up for room just now
                    self._delete(old.id, Removed.REPLACED)
        return sidecar

    def rows(
        self, *, machine: str | None = None, reason: Reason | None = None, since_ns: int = 0, limit: int = -1
    ) -> tuple[ClipRow, ...]:
        """Clips, newest first."""
        return self._indexed(lambda: self._index.rows(machine=machine, reason=reason, since_ns=since_ns, limit=limit))

    def count(self, *, machine: str | None = None) -> int:
        """How many clips there are, of one machine or of all."""
        return self._indexed(lambda: self._index.count(machine=machine))

    def of_alarms(self, alarms: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Ids of the clips that show these episodes, oldest first; an episode without one is left out."""
        return self._indexed(lambda: self._index.of_alarms(alarms))

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
        return self._shelf.find(clip_id)

    def payload_path(self, sidecar: Sidecar) -> Path:
        """Where a clip's FLAC or `.npz` file lies."""
        return self._shelf.payload_path(sidecar)

    def picture_path(self, sidecar: Sidecar) -> Path | None:
        """Where its spectrogram lies, if it has one."""
        return self._shelf.path(sidecar.id, files.PICTURE) if sidecar.picture_bytes else None

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
            self._index.put(self._shelf.write_sidecar(sidecar))
            return sidecar

    def delete(self, clip_id: str, why: Removed = Removed.DELETED) -> None:
        """Remove a clip, whatever it is: a person's word. Room is made elsewhere.

        Raises:
            ClipError: There is none with this id, or the disk refused it.
        """
        with self._changing(f"delete clip {clip_id}"):
            if not self._shelf.path(clip_id, files.SIDECAR).exists():
                raise no_such_clip(clip_id)
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
        return self._books.stats(self._indexed(lambda: self._index.counts()))  # noqa: PLW0108  (a second try is on another)

    def close(self) -> None:
        """Free the index."""
        self._index.close()

    # Everything below runs with the locks held.

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
        self._shelf.remove(clip_id)
        self._index.remove([clip_id])
        self._books.removed[why.value] += 1

    def _reconcile(self) -> None:
        found = survey(self.root, self._index.stamps())
        self._books.unreadable = 0
        for path in found.orphans:
            files.remove(path)
        self._books.swept += len(found.orphans)
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
            self._books.unreadable += 1
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
        self._books.indexes_set_aside += 1
        _log.error("index of clips is damaged (%s): set aside as %s, made again from the sidecars", error, target)
        self._index = ClipIndex(path)
        self._reconcile()
        return self._index

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
            self._books.failures[failure.value] += 1
            raise ClipError(f"cannot {what} in {self.root}: {error.strerror}; check the disk", failure) from error
        except ClipError as error:
            if error.failure is not None:
                self._books.failures[error.failure.value] += 1
            raise
        except DamagedIndexError as error:
            self._books.failures[Failure.IO_ERROR.value] += 1
            raise ClipError(f"cannot {what}: {error}; it is made again at the next start", Failure.IO_ERROR) from error
