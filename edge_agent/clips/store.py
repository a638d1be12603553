"""The clips on the disk: a file, a sidecar and a row of the index each, within a quota, whole whatever happens.

A clip is there when its sidecar is: the sidecar is written last and removed first. The index is a copy of the sidecars
and is made again from them where it is damaged or behind. What a power cut leaves besides is swept at the next start.
"""

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
from edge_agent.clips.index import ClipIndex, DamagedIndexError, set_aside
from edge_agent.clips.reasons import Reason, Removed
from edge_agent.clips.room import Room
from edge_agent.clips.row import ClipRow, row_of
from edge_agent.clips.shelf import ClipShelf, no_such_clip
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.upkeep import reconcile

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

INDEX = "index.db"
_FORCED = (Reason.ALARM, Reason.REQUEST)
"""These may take the room of any clip that may be given up, whatever its worth."""
_LOCK_S = 60.0
"""A command that was stopped by Ctrl-Z in the wrong moment must not stop the agent's clips for ever."""


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
        self._lock = threading.RLock()
        self._index_path = root / INDEX
        self._shelf = ClipShelf(root)
        self._books = Books()
        self._room = Room(root, limits, self._shelf, self._books, free_bytes)
        with self._disk("open the store"):
            root.mkdir(parents=True, exist_ok=True, mode=0o750)
            try:
                self._index = ClipIndex(self._index_path)
            except DamagedIndexError as error:
                with files.held(root / "lock", within_s=_LOCK_S):
                    self._set_aside(error)
                    self._index = ClipIndex(self._index_path)
                    self._reconcile()

    @property
    def index_is_new(self) -> bool:
        """Whether the index was not there and knows no clip yet: `fill` makes it from the sidecars."""
        return self._index.is_new

    def fill(self) -> None:
        """Sweep what a crash left, and bring the index up to the sidecars.

        Raises:
            ClipError: The disk refuses it.
        """
        self._alone("bring the index of clips up to date", self._reconcile)

    def tidy(self) -> None:
        """The same, and give up the least worthy clips beyond the quota, which may have been lowered; at the start.

        Raises:
            ClipError: The disk refuses it.
        """

        def act() -> None:
            self._index.check()
            self._reconcile()
            self._room.keep_quota(self._index)

        self._alone("tidy the store", act)

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
        files_bytes = len(payload) + sidecar.picture_bytes
        row = row_of(sidecar, files_bytes=files_bytes, sidecar_bytes=len(sidecar.to_bytes()), sidecar_ns=0)

        def act() -> Sidecar:
            former = self._index.in_slot(sidecar.machine, sidecar.slot) if sidecar.slot else ()
            self._room.keep_quota(self._index)
            self._room.make(self._index, row.size_bytes, below=float("inf") if sidecar.reason in _FORCED else row.rank)
            written = self._shelf.write(sidecar, payload, picture)
            try:
                self._index.put(written)
            except BaseException:
                self._shelf.discard(sidecar.id)
                raise
            self._books.kept[sidecar.reason.value] += 1
            for old in former:
                self._room.give_up(self._index, old, Removed.REPLACED)
            return sidecar

        return self._alone(f"keep clip {sidecar.id}", act)

    def rows(
        self, *, machine: str | None = None, reason: Reason | None = None, since_ns: int = 0, limit: int = -1
    ) -> tuple[ClipRow, ...]:
        """Clips, newest first."""
        return self._indexed(lambda index: index.rows(machine=machine, reason=reason, since_ns=since_ns, limit=limit))

    def ids(self, *, machine: str | None = None, reason: Reason | None = None, since_ns: int = 0) -> tuple[str, ...]:
        """Ids of clips, oldest first; of as many as there may be, where rows would take much memory."""
        return self._indexed(lambda index: index.ids(machine=machine, reason=reason, since_ns=since_ns))

    def totals(self) -> tuple[tuple[bool, bool, int, int], ...]:
        """Of clips that are never given up or may be, and that the hub has or not: number and bytes."""
        return self._indexed(ClipIndex.totals)

    def count(self, *, machine: str | None = None) -> int:
        """How many clips there are, of one machine or of all."""
        return self._indexed(lambda index: index.count(machine=machine))

    def of_alarms(self, alarms: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Ids of the clips that show these episodes, oldest first; an episode without one is left out."""
        return self._indexed(lambda index: index.of_alarms(alarms))

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
            lambda index: index.unsynced(
                settled_before=settled_before, limit=limit, excluding=excluding, reasons=reasons
            )
        )

    def unsynced_size(self, *, settled_before: str, excluding: Collection[str] = ()) -> tuple[int, int]:
        """Number and bytes of the clips to send."""
        return self._indexed(lambda index: index.unsynced_size(settled_before=settled_before, excluding=excluding))

    def labels_at_hub(self) -> dict[str, str | None]:
        """The label, on this gateway, of every clip that the hub has."""
        return self._indexed(ClipIndex.labels_at_hub)

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

        def act() -> Sidecar:
            sidecar = edit(self.find(clip_id))
            self._index.put(self._shelf.write_sidecar(sidecar))
            return sidecar

        return self._alone(f"change clip {clip_id}", act)

    def delete(self, clip_id: str, why: Removed = Removed.DELETED) -> None:
        """Remove a clip, whatever it is: a person's word. Room is made elsewhere.

        Raises:
            ClipError: There is none with this id, or the disk refused it.
        """
        if self._shelf.changed_ns(clip_id) is None:
            raise no_such_clip(clip_id)
        self._alone(f"delete clip {clip_id}", lambda: self._room.delete(self._index, clip_id, why))

    def verify(self) -> Iterator[tuple[str, str]]:
        """Read every clip that lies there and yield the id and the flaw of each that is not what its sidecar says."""
        for directory in files.days(self.root):
            for path in sorted(directory.glob(f"*{files.SIDECAR}")):
                if files.is_clip_id(path.stem) and files.day_of(path.stem) == directory.name:
                    flaw = self._flaw(path.stem)
                    if flaw is not None and self._shelf.changed_ns(path.stem) is not None:  # not given up meanwhile
                        yield path.stem, flaw

    def stats(self) -> StoreStats:
        """The books now."""
        return self._books.stats(self._indexed(ClipIndex.counts))

    def close(self) -> None:
        """Free the index."""
        self._index.close()

    def _indexed(self, read: Callable[[ClipIndex], _T]) -> _T:
        """Ask the index; one that is damaged, or that somebody removed, is made again first."""
        index = self._index
        try:
            if index.is_in_place():
                return read(index)
            self._alone("open the index of clips again", lambda: None)
        except DamagedIndexError as error:
            damage = error

            def act() -> None:
                if self._index is index:  # no other thread did it meanwhile
                    self._begin_anew(damage)

            self._alone("make the index of clips again", act)
        with self._disk("read the index of clips"):
            return read(self._index)

    def _alone(self, what: str, act: Callable[[], _T]) -> _T:
        """Act alone among threads and processes; once more on an index made again where it turns out to be damaged."""
        with self._lock, self._disk(what), files.held(self.root / "lock", within_s=_LOCK_S):
            try:
                if not self._index.is_in_place():
                    self._open_again()
                return act()
            except DamagedIndexError as error:
                self._begin_anew(error)
                return act()

    # Everything below runs with the locks held.

    def _flaw(self, clip_id: str) -> str | None:
        try:
            return self._shelf.flaw(self.find(clip_id))
        except ClipError as error:
            return str(error)

    def _reconcile(self) -> None:
        reconcile(self.root, self._shelf, self._index, self._books)

    def _open_again(self) -> None:
        _log.warning("index of clips %s was removed or replaced: made again from the sidecars", self._index_path)
        self._index.close()
        self._index = ClipIndex(self._index_path)
        self._reconcile()

    def _begin_anew(self, error: DamagedIndexError) -> None:
        self._index.close()
        self._set_aside(error)
        self._index = ClipIndex(self._index_path)
        self._reconcile()

    def _set_aside(self, error: DamagedIndexError) -> None:
        target = set_aside(self._index_path)
        self._books.indexes_set_aside += 1
        _log.error("index of clips is damaged (%s): set aside as %s, made again from the sidecars", error, target)

    @contextmanager
    def _disk(self, what: str) -> Iterator[None]:
        """What the disk refuses is counted and typed."""
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
            raise ClipError(f"cannot {what}: {error}; it is made again at the next try", Failure.IO_ERROR) from error
