"""One recording to evaluate on, and the groups that keep commissioning and test apart."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training_hub.evaluation.errors import EvaluationError

FloatArray = NDArray[np.float32]

ANOMALY = "anomaly"
BACKGROUND = "background"
OFF = "state_off"
_NORMAL_PREFIXES = ("normal", "state_")


@dataclass(frozen=True, eq=False)
class EvalClip:
    """One recording; its sound is read when asked for, so that thousands of mixed ones cost no memory.

    Attributes:
        name: Where it comes from; unique.
        machine_type: Type of the machine.
        machine_id: The machine.
        condition: `normal`, `state_*`, `anomaly`, `code_*` or `background`.
        group: The recording it was cut from; never split across commissioning and test.
        read_audio: Samples `[n]` at 16 kHz; None for a site that kept only features.
        read_log_mel: Log-mel frames `[frames, 128]`, dB; None where there is audio.
    """

    name: str
    machine_type: str
    machine_id: str
    condition: str
    group: str
    read_audio: Callable[[], FloatArray] | None = None
    read_log_mel: Callable[[], FloatArray] | None = None

    def __post_init__(self) -> None:
        """Refuse a clip with no sound, or with two."""
        if (self.read_audio is None) == (self.read_log_mel is None):
            raise EvaluationError(f"clip {self.name}: give either audio or log-mel frames")

    @property
    def is_anomalous(self) -> bool:
        """Whether something is wrong with the machine."""
        return self.condition == ANOMALY

    @property
    def is_normal(self) -> bool:
        """Whether the machine runs, in any state, with no fault; switched off it is not heard at all."""
        return self.condition.startswith(_NORMAL_PREFIXES) and self.condition != OFF

    def with_audio(self, name: str, read_audio: Callable[[], FloatArray]) -> "EvalClip":
        """The same recording, its sound changed."""
        return replace(self, name=name, read_audio=read_audio, read_log_mel=None)

    def with_log_mel(self, name: str, read_log_mel: Callable[[], FloatArray]) -> "EvalClip":
        """The same recording, its frames changed."""
        return replace(self, name=name, read_log_mel=read_log_mel, read_audio=None)


@dataclass(frozen=True, eq=False)
class Machine:
    """All recordings of one machine.

    Attributes:
        machine_type: Its type.
        machine_id: Its name.
        normals: Recordings without a fault, by name.
        anomalies: Recordings with one.
    """

    machine_type: str
    machine_id: str
    normals: tuple[EvalClip, ...]
    anomalies: tuple[EvalClip, ...]

    @property
    def groups(self) -> int:
        """Number of recordings that the normal clips were cut from."""
        return len({clip.group for clip in self.normals})


def machines_of(clips: Iterable[EvalClip]) -> tuple[Machine, ...]:
    """The machines that have a normal recording, sorted by type and name."""
    found: dict[tuple[str, str], list[EvalClip]] = {}
    for clip in clips:
        if clip.machine_type != BACKGROUND and (clip.is_normal or clip.is_anomalous):
            found.setdefault((clip.machine_type, clip.machine_id), []).append(clip)
    machines = []
    for (machine_type, machine_id), members in sorted(found.items()):
        ordered = sorted(members, key=lambda clip: clip.name)
        normals = tuple(clip for clip in ordered if clip.is_normal)
        if normals:
            anomalies = tuple(clip for clip in ordered if clip.is_anomalous)
            machines.append(Machine(machine_type, machine_id, normals, anomalies))
    return tuple(machines)


def rng_for(seed: int, *names: object) -> np.random.Generator:
    """A generator of its own for every purpose: adding one changes no other, and order of work changes nothing.

    >>> bool(rng_for(1, "a").random() == rng_for(1, "a").random() != rng_for(1, "b").random())
    True
    """
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], np.uint32).tolist()])


@dataclass(frozen=True)
class Split:
    """A machine's normal recordings, divided.

    Attributes:
        commission: What the profile is learnt from.
        test: What it is judged on.
        within_recording: The machine has one recording only: its start was divided from its end.
    """

    commission: tuple[EvalClip, ...]
    test: tuple[EvalClip, ...]
    within_recording: bool


def draw_split(clips: Sequence[EvalClip], k: int, rng: np.random.Generator) -> Split:
    """Commission on `k` clips, test on all clips of other groups.

    Whole groups are drawn; what remains of the last group drawn is left out of both parts. Clips of a machine that has
    a single group are divided in time: `k` that follow one another, and all others but the two that touch them.

    Args:
        clips: Normal clips of one machine.
        k: Clips to commission on.
        rng: Draws.

    Raises:
        EvaluationError: Too few clips for both parts.
    """
    groups = sorted({clip.group for clip in clips})
    if k < 1 or len(clips) <= k:
        raise EvaluationError(f"{len(clips)} normal clips cannot be divided with {k} for commissioning; record more")
    if len(groups) == 1:
        return _split_in_time(sorted(clips, key=lambda clip: clip.name), k, rng)
    order = [groups[i] for i in rng.permutation(len(groups))]
    chosen: list[EvalClip] = []
    taken: set[str] = set()
    for group in order:
        if len(chosen) >= k:
            break
        taken.add(group)
        chosen += [clip for clip in clips if clip.group == group]
    test = tuple(clip for clip in clips if clip.group not in taken)
    if not test:
        raise EvaluationError(f"all {len(groups)} recordings are needed for {k} clips; record more")
    return Split(tuple(chosen[:k]), test, within_recording=False)


def _split_in_time(ordered: Sequence[EvalClip], k: int, rng: np.random.Generator) -> Split:
    n = len(ordered)
    start = int(rng.integers(n - k + 1))
    commission = tuple(ordered[start : start + k])
    test = tuple(clip for i, clip in enumerate(ordered) if i < start - 1 or i > start + k)
    if not test:
        raise EvaluationError(f"{n} clips of one recording cannot be divided with {k} for commissioning; record more")
    return Split(commission, test, within_recording=True)
