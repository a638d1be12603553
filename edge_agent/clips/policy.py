"""Which windows are kept. Pure: time and randomness are handed in, what was kept before comes as history."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.day import NS_PER_DAY, SlotDraw
from edge_agent.clips.novelty import NoveltyMap
from edge_agent.clips.reasons import Reason

_NS_PER_S = 1_000_000_000
_QUIET = ("normal", "uncommissioned", "unknown")
_WORSE = 2.0
"""How many times the score of an episode's last clip is worth another one of it."""


@dataclass(frozen=True, slots=True)
class KeepLimits:
    """How much is kept of one machine.

    Attributes:
        alarm_per_episode: Most clips of one alarm: the one that raised it, and each time the score has doubled.
        uncertain_per_day: Most windows near the threshold.
        uncertain_margin: How near, as a share of the threshold.
        uncertain_spacing_s: Least time between two of them, so that one bad hour does not take the day's share.
        novel_per_day: Most windows unlike every one kept.
        novel_distance: Cosine distance below which two windows are alike from the start.
        random_per_day: Random windows; the day is cut in as many parts.
        hop_s: From one window's start to the next.
    """

    alarm_per_episode: int = 4
    uncertain_per_day: int = 8
    uncertain_margin: float = 0.2
    uncertain_spacing_s: float = 600.0
    novel_per_day: int = 8
    novel_distance: float = 0.15
    random_per_day: int = 6
    hop_s: float = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class HeardWindow:
    """What the policy looks at.

    Attributes:
        machine: Which machine.
        start_ns: Wall time of the window's start.
        state: What the window says: `normal`, `suspect`, `alarm`, `input_fault`, `uncommissioned`, `unknown`.
        score, threshold: None for a machine without a profile.
        alarm_raised: Whether it raised the alarm.
        embedding: Mean of its patches `[d]`; None where no patch was whole.
    """

    machine: str
    start_ns: int
    state: str
    score: float | None = None
    threshold: float | None = None
    alarm_raised: bool = False
    embedding: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Keep this window.

    Attributes:
        reason: Why.
        slot: Of a random one, its part of the day: it takes the place of the one kept of that part before.
        settles_ns: Until then another one may take its place; 0 where none will.
    """

    reason: Reason
    slot: str | None = None
    settles_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One clip of the past, from which a new policy goes on."""

    machine: str
    reason: Reason
    start_ns: int
    slot: str | None = None
    embedding: NDArray[np.float32] | None = None


@dataclass(slots=True)
class _Machine:
    novelty: NoveltyMap
    draw: SlotDraw
    day: int = -1
    today: dict[Reason, int] = field(default_factory=dict)
    last_uncertain_ns: int | None = None
    episode_clips: int = 0
    episode_score: float = 0.0
    requested: bool = False


class KeepPolicy:
    """Decides window by window, each machine on its own; one thread uses it.

    The weightiest reason wins: alarm, request, uncertain, novel, random. A window whose input is unfit to tell is kept
    on request only.

    Args:
        limits: How much of each machine.
        history: What was kept before, oldest first: quotas of the day and novelty go on from there.
        now_ns: Wall time, to place the history in its day.

    >>> policy = KeepPolicy(KeepLimits(random_per_day=0))
    >>> policy.decide(HeardWindow("fan", 0, "suspect", score=3.1, threshold=3.0), draw=0.5).reason.value
    'uncertain'
    """

    def __init__(self, limits: KeepLimits, history: Iterable[Kept] = (), *, now_ns: int = 0) -> None:
        self._limits = limits
        self._machines: dict[str, _Machine] = {}
        for kept in history:
            machine = self._machine(kept.machine)
            self._note(machine, kept.reason, kept.start_ns, kept.embedding)
            if kept.slot is not None:
                machine.draw.resume(kept.slot, now_ns, limits.hop_s)

    def request(self, machine: str) -> None:
        """An operator wants the next window of a machine kept, whatever it is."""
        self._machine(machine).requested = True

    def forget_embeddings(self) -> None:
        """Another model is in use: its embeddings cannot be compared with those of the former one."""
        for machine in self._machines.values():
            machine.novelty = NoveltyMap(radius=self._limits.novel_distance)

    def decide(self, window: HeardWindow, *, draw: float) -> Wish | None:
        """Whether and why to keep a window; windows of a machine come in order.

        Args:
            window: The window.
            draw: A random number in `[0, 1)`.
        """
        machine = self._machine(window.machine)
        wish = self._wish(machine, window, draw)
        if wish is not None:
            self._note(machine, wish.reason, window.start_ns, window.embedding)
        return wish

    def _wish(self, machine: _Machine, window: HeardWindow, draw: float) -> Wish | None:
        if self._is_worth_of_alarm(machine, window):
            return Wish(Reason.ALARM)
        if machine.requested:
            machine.requested = False
            return Wish(Reason.REQUEST)
        if window.state != "input_fault":
            if self._is_uncertain(machine, window):
                return Wish(Reason.UNCERTAIN)
            if self._is_novel(machine, window):
                return Wish(Reason.NOVEL)
            if window.state in _QUIET and (slot := machine.draw.choose(window.start_ns, draw)):
                return Wish(Reason.RANDOM, slot.name, slot.stop_ns)
        return None

    def _is_worth_of_alarm(self, machine: _Machine, window: HeardWindow) -> bool:
        score = window.score or 0.0
        if window.alarm_raised:
            machine.episode_clips = 0
        elif window.state != "alarm" or score < _WORSE * machine.episode_score or not machine.episode_clips:
            return False
        if machine.episode_clips >= self._limits.alarm_per_episode:
            return False
        machine.episode_clips += 1
        machine.episode_score = score
        return True

    def _is_uncertain(self, machine: _Machine, window: HeardWindow) -> bool:
        if window.score is None or window.threshold is None or window.state == "alarm":
            return False
        last_ns, limits = machine.last_uncertain_ns, self._limits
        spaced = last_ns is None or abs(window.start_ns - last_ns) >= limits.uncertain_spacing_s * _NS_PER_S
        near = abs(window.score - window.threshold) <= limits.uncertain_margin * window.threshold
        return near and spaced and self._today(machine, Reason.UNCERTAIN, window.start_ns) < limits.uncertain_per_day

    def _is_novel(self, machine: _Machine, window: HeardWindow) -> bool:
        return (
            window.embedding is not None
            and self._today(machine, Reason.NOVEL, window.start_ns) < self._limits.novel_per_day
            and machine.novelty.is_novel(window.embedding)
        )

    def _today(self, machine: _Machine, reason: Reason, start_ns: int) -> int:
        if machine.day != start_ns // NS_PER_DAY:
            machine.day = start_ns // NS_PER_DAY
            machine.today = {}
        return machine.today.get(reason, 0)

    def _note(self, machine: _Machine, reason: Reason, start_ns: int, embedding: NDArray[np.float32] | None) -> None:
        machine.today[reason] = self._today(machine, reason, start_ns) + 1
        if reason is Reason.UNCERTAIN:
            machine.last_uncertain_ns = start_ns
        if embedding is not None:
            machine.novelty.add(embedding)

    def _machine(self, name: str) -> _Machine:
        machine = self._machines.get(name)
        if machine is None:
            novelty = NoveltyMap(radius=self._limits.novel_distance)
            machine = self._machines[name] = _Machine(novelty, SlotDraw(self._limits.random_per_day))
        return machine
