"""What the parts of an update hand each other."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.bundle import Bundle
from edge_agent.inference.in_use import Slot
from edge_agent.sync.updates.comparison import Comparison
from edge_agent.sync.updates.trusted import Offer
from edge_agent.sync.wire import Assignment, UpdatePhase


class Repository(Protocol):
    """What an approver signed; see `TrustedRepository`."""

    def find(self, path: str) -> Offer:
        """A target of the current metadata."""

    def download(self, offer: Offer, into: Path) -> None:
        """Its archive, checked."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A bundle with fitted profiles, waiting for the scorer's thread to listen with it."""

    bundle: Bundle
    slot: Slot
    rollout: str


@dataclass(frozen=True, slots=True)
class GoBack:
    """What is in use is to be left for the last good bundle."""

    why: str


@dataclass(frozen=True, slots=True, eq=False)
class SeenWindow:
    """One window as the bundle in use judged it."""

    machine: str
    log_mel_db: NDArray[np.float32]
    percentile: float
    anomalous: bool


@dataclass(slots=True)
class Job:
    """What is under way.

    Attributes:
        assignment: What the hub wants.
        phase, why: How far it is, and what went wrong last.
        comparison: The shadow's figures.
        prepared: The bundle and the profiles that were fitted for it.
        ready: What the scorer's thread may listen with.
        stamps: The profiles that were fitted anew, as they were then.
    """

    assignment: Assignment
    phase: UpdatePhase = "downloading"
    why: str = ""
    comparison: Comparison = field(default_factory=Comparison)
    prepared: Slot | None = None
    ready: TakeOver | None = None
    stamps: dict[str, tuple[int, int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeskReading:
    """The desk's books, for metrics.

    Attributes:
        phase: Of what is under way; empty where nothing is.
        confirmed: Whether the bundle in use is trusted.
        taken, went_back, refused: Take-overs, returns and refusals since the start.
        windows, errors, shed: Of the shadow, since the start.
        percentile_shift, latency_ratio: Of the shadow under way.
    """

    phase: str
    confirmed: bool
    taken: int
    went_back: int
    refused: int
    windows: int
    errors: int
    shed: int
    percentile_shift: float | None
    latency_ratio: float | None
