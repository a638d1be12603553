"""What every protocol gets, and what it hands back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.identity import Identifier
from training_hub.evaluation.clips import EvalClip, Machine
from training_hub.evaluation.datasets import EvalData
from training_hub.evaluation.listen import HeardClip, Listener
from training_hub.evaluation.report import CalibrationPoint, Confusion, Example, Row, ScatterPoint, ScoreSample, Skipped
from training_hub.evaluation.scorer import System


@dataclass(frozen=True)
class Effort:
    """How much work to spend.

    Attributes:
        draws: How often commissioning clips are drawn.
        slow_draws: The same for systems that train.
        clip_counts: Clips to commission on, in the first-shot protocol.
        snrs_db: Of the noise protocol.
        clips_per_machine: Most normal, and most anomalous, clips of a machine that are changed and heard again.
        stream_h: Hours of the stream per machine.
        stream_pieces: Pieces of a machine's day: normal recordings, each at several gains amid several backgrounds.
        rounds: Of the bootstrap.
    """

    draws: int
    slow_draws: int
    clip_counts: tuple[int, ...]
    snrs_db: tuple[float, ...]
    clips_per_machine: int
    stream_h: float
    stream_pieces: int
    rounds: int


FULL = Effort(10, 2, (3, 5, 10, 20, 40), (6.0, 0.0, -6.0, -12.0, -18.0), 1000, 24.0, 600, 200)
QUICK = Effort(3, 1, (10,), (0.0, -12.0), 40, 0.5, 40, 50)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything a protocol may use.

    Attributes:
        data: The recordings.
        bundle: The bundle under test.
        listener: Hears through the bundle's encoder.
        float_listener: Hears through the float encoder that it was quantised from; None where it was not given.
        identifier: Names windows; None where the bundle knows no labels.
        ours: The agent's own detection, by variant: `ours`, `ours_generic`, `ours_own`.
        baselines: Installed baselines.
        effort: How much work to spend.
        seed: Of every draw.
        progress: Told what is being done.
    """

    data: EvalData
    bundle: Bundle
    listener: Listener
    float_listener: Listener | None
    identifier: Identifier | None
    ours: tuple[System, ...]
    baselines: tuple[System, ...]
    effort: Effort
    seed: int
    progress: Callable[[str], None] = field(default=lambda _: None)

    @cached_property
    def known_machines(self) -> frozenset[str]:
        """Machines that the encoder was trained to name."""
        return frozenset(label.machine_id for label in self.bundle.manifest.labels)

    def sibling_clips(self, machine: Machine) -> tuple[HeardClip, ...]:
        """Normal clips of the other machines of a type."""
        return tuple(self.listener.hear(clip) for other in self.data.siblings(machine) for clip in other.normals)

    def some(self, clips: Sequence[EvalClip]) -> tuple[EvalClip, ...]:
        """As many clips as the effort allows, evenly taken."""
        most = self.effort.clips_per_machine
        if len(clips) <= most:
            return tuple(clips)
        return tuple(clips[i * len(clips) // most] for i in range(most))


@dataclass
class Findings:
    """What protocols found, gathered in order."""

    rows: list[Row] = field(default_factory=list)
    samples: list[ScoreSample] = field(default_factory=list)
    calibration: list[CalibrationPoint] = field(default_factory=list)
    confusion: Confusion | None = None
    scatter: list[ScatterPoint] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
