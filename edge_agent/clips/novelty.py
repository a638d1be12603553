"""How unlike everything kept so far a window is, with a memory that is bounded and spread out."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_LEAST_NORM = 1e-6


class NoveltyMap:
    """A spread-out choice of the embeddings kept of one machine: streaming k-centre by doubling.

    Whatever is nearer than `radius` to a centre is nothing new. When there are more than `most` centres the radius
    doubles and centres that are nearer than it to an older one are given up, so that the centres always cover all that
    was added, wherever it lies: M. Charikar, C. Chekuri, T. Feder, R. Motwani, "Incremental Clustering and Dynamic
    Information Retrieval" (STOC 1997), within a factor of 8 of the best such cover. Distances are cosine distances, 0
    (alike) to 2.

    Args:
        radius: Distance below which two windows are alike from the start.
        most: Most centres kept.

    >>> found = NoveltyMap(radius=0.1, most=2)
    >>> east, north = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    >>> found.is_novel(east)
    True
    >>> found.add(east)
    >>> found.is_novel(east), found.is_novel(north)
    (False, True)
    """

    def __init__(self, *, radius: float, most: int = 64) -> None:
        self.radius = radius
        self._most = most
        self._centres: list[FloatArray] = []

    def __len__(self) -> int:
        return len(self._centres)

    def distance(self, embedding: FloatArray) -> float:
        """Cosine distance of `[d]` to the nearest centre; infinite without one, and for a vector of zeros."""
        if not self._centres or self._centres[0].shape != embedding.shape or not _has_direction(embedding):
            return float("inf")
        return float(1.0 - (np.stack(self._centres) @ _unit(embedding)).max())

    def is_novel(self, embedding: FloatArray) -> bool:
        """Whether nothing like it was added. A vector without a direction tells nothing and never is."""
        return _has_direction(embedding) and self.distance(embedding) > self.radius

    def add(self, embedding: FloatArray) -> None:
        """What is like this one is known from now on."""
        if not self.is_novel(embedding):
            return
        if self._centres and self._centres[0].shape != embedding.shape:
            self._centres.clear()  # of another model: nothing can be compared with them
        self._centres.append(_unit(embedding))
        while len(self._centres) > self._most:
            self.radius *= 2
            spread: list[FloatArray] = []
            for centre in self._centres:
                if not spread or 1.0 - float((np.stack(spread) @ centre).max()) > self.radius:
                    spread.append(centre)
            self._centres = spread


def _has_direction(embedding: FloatArray) -> bool:
    return bool(np.linalg.norm(embedding) > _LEAST_NORM)


def _unit(embedding: FloatArray) -> FloatArray:
    return np.asarray(embedding / np.linalg.norm(embedding), np.float32)
