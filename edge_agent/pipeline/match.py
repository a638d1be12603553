"""Which of the gateway's own machines a window sounds like, by the embeddings that their profiles keep."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.likeness import Likeness
from edge_agent.detection.unit import unit
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


@dataclass(frozen=True, slots=True, eq=False)
class _Banks:
    """The banks of all machines whose embeddings have the same size.

    Attributes:
        machines: Their ids.
        first_rows: `[machines]`, where the bank of each begins.
        rows: `[size, all rows]`, unit embeddings.
    """

    machines: tuple[str, ...]
    first_rows: NDArray[np.int64]
    rows: NDArray[np.float32]

    @classmethod
    def of(cls, machines: Sequence[str], likenesses: Mapping[str, Likeness]) -> Self:
        banks = [unit(likenesses[machine].bank.astype(np.float32)) for machine in machines]
        first_rows = np.cumsum([0, *(len(bank) for bank in banks[:-1])])
        return cls(tuple(machines), first_rows, np.ascontiguousarray(np.concatenate(banks).T))

    def distances(self, units: NDArray[np.float32]) -> list[dict[str, float]]:
        """As `Likeness.distance` of each machine, of windows `[windows, patches, size]` of embeddings of length one."""
        nearest = np.maximum.reduceat(units @ self.rows, self.first_rows, axis=2)
        distances = (1.0 - np.add.reduce(nearest, axis=1, dtype=np.float64) / nearest.shape[1]).tolist()
        return [dict(zip(self.machines, own, strict=True)) for own in distances]


class Matcher:
    """Compares windows with every commissioned machine.

    Each window of each machine is compared with all of them, so their banks stand in one matrix: with 64 machines a
    product with it takes a tenth of the time that 64 small ones take.

    Args:
        likenesses: How each machine sounds.
    """

    def __init__(self, likenesses: Mapping[str, Likeness]) -> None:
        self._likenesses = dict(likenesses)
        by_size: dict[int, list[str]] = {}
        for machine, likeness in self._likenesses.items():
            by_size.setdefault(likeness.bank.shape[1], []).append(machine)
        self._banks = {size: _Banks.of(machines, self._likenesses) for size, machines in by_size.items()}

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
        return self.distances_of_stack(unit(embeddings)[None])[0] if embeddings.size else {}

    def distances_of_stack(self, units: NDArray[np.float32]) -> list[dict[str, float]]:
        """As `distances` of each window, of embeddings of length one, `[windows, patches, size]`."""
        banks = self._banks.get(units.shape[2])
        return [{} for _ in units] if banks is None else banks.distances(units)

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
