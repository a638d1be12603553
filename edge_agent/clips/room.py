"""Makes room for clips: the least worthy go first, and never one that is protected."""

from collections.abc import Callable
from pathlib import Path

from edge_agent.clips.books import Books, StoreLimits
from edge_agent.clips.errors import ClipError
from edge_agent.clips.index import ClipIndex
from edge_agent.clips.reasons import Removed
from edge_agent.clips.row import ClipRow
from edge_agent.clips.shelf import ClipShelf
from edge_agent.clips.upkeep import read_again


class Room:
    """What the clips of a store may take. Whoever holds the store's lock uses it, with the index as it is then.

    Args:
        root: The store's directory.
        limits: How much may be kept.
        shelf: The files.
        books: What is given up is counted here.
        free_bytes: Room that the file system has left.
    """

    def __init__(
        self, root: Path, limits: StoreLimits, shelf: ClipShelf, books: Books, free_bytes: Callable[[Path], int]
    ) -> None:
        self._root = root
        self._limits = limits
        self._shelf = shelf
        self._books = books
        self._free_bytes = free_bytes

    def keep_quota(self, index: ClipIndex) -> None:
        """Clips beyond the quota go, whatever they are worth against new ones: it may have been lowered."""
        self._evict(index, index.size_bytes() - self._limits.max_bytes, below=float("inf"))

    def make(self, index: ClipIndex, need: int, *, below: float) -> None:
        """Give up clips of a rank lower than `below` until a new one fits.

        Raises:
            ClipError: That does not suffice; then nothing was given up for it.
        """
        limits = self._limits
        over = index.size_bytes() + need - limits.max_bytes
        short = limits.min_free_bytes + need - self._free_bytes(self._root)
        wanted = max(over, short, 0)
        possible = need <= limits.max_bytes and (not wanted or wanted <= index.size_bytes(evictable_below=below))
        if not possible or self._evict(index, wanted, below=below) > 0:
            raise ClipError(
                f"no room in {self._root} and nothing of less value to give up; "
                "raise clips.max_bytes, free the disk, or unpin or delete clips"
            )

    def give_up(self, index: ClipIndex, row: ClipRow, why: Removed) -> int:
        """Remove a clip, if it still is what the index knows; returns the bytes that this set free.

        A sidecar that says otherwise counts: a command that was killed after it had pinned a clip must not lose it.
        """
        changed_ns = self._shelf.changed_ns(row.id)
        if changed_ns == row.sidecar_ns:
            self.delete(index, row.id, why)
            return row.size_bytes
        fresh = None if changed_ns is None else read_again(row.id, self._shelf, self._books)
        if fresh is None:
            index.remove([row.id])
        else:
            index.put(fresh)
        return row.size_bytes if changed_ns is None else 0

    def delete(self, index: ClipIndex, clip_id: str, why: Removed) -> None:
        """Remove a clip, whatever it is."""
        self._shelf.remove(clip_id)
        index.remove([clip_id])
        self._books.removed[why.value] += 1

    def _evict(self, index: ClipIndex, wanted: int, *, below: float) -> int:
        """Give up the least worthy clips until so many bytes are free; returns how many are still wanted."""
        while wanted > 0 and (least := index.least_worth(below=below)):
            for row in least:
                wanted -= self.give_up(index, row, Removed.EVICTED)
                if wanted <= 0:
                    break
        return wanted
