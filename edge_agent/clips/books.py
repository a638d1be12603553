"""What a store of clips may take, and what it tells of itself."""

from collections import Counter
from dataclasses import dataclass, field


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


@dataclass(slots=True)
class Books:
    """The same while it is counted; whoever holds the store's lock writes it."""

    kept: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    swept: int = 0
    unreadable: int = 0
    indexes_set_aside: int = 0

    def stats(self, clips: tuple[tuple[str, int, int], ...]) -> StoreStats:
        """As they stand now.

        Args:
            clips: Number and bytes of the clips there are, by reason.
        """
        return StoreStats(
            clips=clips,
            kept=tuple(self.kept.items()),
            removed=tuple(self.removed.items()),
            failures=tuple(self.failures.items()),
            swept=self.swept,
            unreadable=self.unreadable,
            indexes_set_aside=self.indexes_set_aside,
        )
