"""The one protocol that our system and every baseline are judged through."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.metrics import ScoreSet


class Family(StrEnum):
    """What a system was allowed to learn from."""

    OURS = "ours"
    NORMALS = "normals only"
    OTHER_MACHINES = "normals, other machines' ids"
    SUPERVISED = "supervised: sees labelled anomalies"


@dataclass(frozen=True, eq=False)
class FitContext:
    """What a scorer may know besides the machine's own normal clips. Never a test clip.

    Attributes:
        machine_type: Type of the machine.
        machine_id: Its name.
        siblings: Normal clips of other machines of the type; empty for a type never seen.
        anomalies: Labelled anomalies of recordings that are not tested on; given to supervised scorers alone.
        seed: For everything that happens by chance.
    """

    machine_type: str
    machine_id: str
    siblings: tuple[HeardClip, ...] = ()
    anomalies: tuple[HeardClip, ...] = ()
    seed: int = 0


class Scorer(Protocol):
    """A way to tell how abnormal a clip is."""

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Learn from a machine's normal clips; forgets what it learnt before."""

    def score(self, clip: HeardClip) -> float:
        """Finite, grows with abnormality."""


@dataclass(frozen=True)
class System:
    """A scorer's place in the report.

    Attributes:
        name: Short and unique.
        title: For people, with the source of the method.
        family: What it learns from.
        make: A new scorer.
        requires: Modules it needs; where one is missing the report says so.
        slow: Fitted on fewer draws.
        needs_audio: Cannot score clips that exist as frames only.
    """

    name: str
    title: str
    family: Family
    make: Callable[[], Scorer] = field(repr=False)
    requires: tuple[str, ...] = ()
    slow: bool = False
    needs_audio: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that are not installed."""
        return tuple(module for module in self.requires if importlib.util.find_spec(module) is None)


def score_clips(scorer: Scorer, clips: Sequence[HeardClip]) -> ScoreSet:
    """Score test clips with a fitted scorer."""
    return ScoreSet(
        scores=np.array([scorer.score(clip) for clip in clips], np.float64),
        anomalous=np.array([clip.clip.is_anomalous for clip in clips], np.bool_),
        groups=tuple(clip.clip.group for clip in clips),
    )
