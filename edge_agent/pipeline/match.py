"""Which of the gateway's own machines a window sounds like, by the embeddings that their profiles keep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.likeness import Likeness
from edge_agent.pipeline.identity import UNKNOWN

TEMPERATURE = 0.045
"""What makes a confidence of distances: of held-out recordings of thirteen machines, of machines that were not
commissioned and of background, those answered with 90 % were right in about 90 %. `training-hub evaluate --protocol
identity` shows the curve."""


@dataclass(frozen=True, slots=True)
class Match:
    """The commissioned machine that a window is most alike to.

    Attributes:
        machine: Its id; `unknown` where even the nearest is farther than its limit.
        distance: From the nearest, 1 less a cosine: 0 the same, 1 unrelated.
        limit: Distance up to which that machine's own normal sound reaches.
        confidence: Probability of the answer, 0 to 1; halves at the limit, and between two machines that are as near.
    """

    machine: str
    distance: float
    limit: float
    confidence: float


class Matcher:
    """Compares windows with every commissioned machine.

    Args:
        likenesses: How each machine sounds.
    """

    def __init__(self, likenesses: Mapping[str, Likeness]) -> None:
        self._likenesses = dict(likenesses)

    def __bool__(self) -> bool:
        """Whether there is a machine to compare with."""
        return bool(self._likenesses)

    def likeness(self, machine_id: str) -> Likeness | None:
        """How a machine sounds; None for one that is not compared with."""
        return self._likenesses.get(machine_id)

    def distances(self, embeddings: NDArray[np.float32]) -> dict[str, float]:
        """Distance of a window from every machine that can be compared with it.

        Args:
            embeddings: `[patches, size]`.
        """
        found = {machine: likeness.distance(embeddings) for machine, likeness in self._likenesses.items()}
        return {machine: distance for machine, distance in found.items() if distance is not None}

    def match(self, distances: Mapping[str, float]) -> Match | None:
        """The answer to a window's distances; None where there are none."""
        if not distances:
            return None
        within = [machine for machine, distance in distances.items() if distance <= self._likenesses[machine].limit]
        nearest = min(within or distances, key=distances.__getitem__)
        distance, limit = distances[nearest], self._likenesses[nearest].limit
        # the answers there are: each machine by its distance, and `unknown`, as near as the nearest may be far
        evidence = [-each / TEMPERATURE for each in (*distances.values(), limit)]
        highest = max(evidence)
        total = sum(math.exp(each - highest) for each in evidence)
        answer = distance if within else limit
        confidence = math.exp(-answer / TEMPERATURE - highest) / total
        return Match(nearest if within else UNKNOWN, distance, limit, min(1.0, confidence))
