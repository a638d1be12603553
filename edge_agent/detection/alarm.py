"""From windows to an episode that needs a person: k of n, hysteresis, off-delay, latch."""

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.verdict import Verdict

_NS_PER_S = 1_000_000_000


class AlarmPhase(StrEnum):
    """Where an alarm stands (ISA-18.2, without what people do to it)."""

    NORMAL = "normal"
    ACTIVE = "active"
    LATCHED = "latched"


@dataclass(frozen=True, slots=True)
class Episode:
    """One alarm from its raising to its end.

    Attributes:
        number: 1 for the first of this machine's life.
        raised_ns: Start of the window that raised it, nanoseconds.
        first_anomalous_ns: Start of the first of the windows that raised it.
        ended_ns: Start of the window that ended it; None while it lasts.
        peak_score: Highest score so far.
        peak_ns: Start of the window with that score.
        anomalous_windows: Anomalous windows so far, those that raised it included.
    """

    number: int
    raised_ns: int
    first_anomalous_ns: int
    ended_ns: int | None
    peak_score: float
    peak_ns: int
    anomalous_windows: int


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Where an alarm stands after a window.

    Attributes:
        phase: Its phase.
        episode: The episode under way, or the last one; None before the first.
        raised: Whether this window raised it.
        cleared: Whether this window ended it.
        recent_anomalous: Anomalous windows among the last `raise_within`.
    """

    phase: AlarmPhase
    episode: Episode | None
    raised: bool
    cleared: bool
    recent_anomalous: int


@dataclass(frozen=True, slots=True)
class _Seen:
    start_ns: int
    score: float
    anomalous: bool


class AlarmMachine:
    """Alarm logic of one machine. Pure: time comes with the windows.

    A window whose input is unfit to tell (`Verdict.blocked`) counts neither way: it raises nothing and ends nothing.

    Args:
        budget: How windows become an alarm, and when it ends.
        last: The episode of a former life of the agent, to go on from.
    """

    def __init__(self, budget: AlarmBudget, last: Episode | None = None) -> None:
        self._budget = budget
        self._recent: deque[_Seen] = deque(maxlen=budget.raise_within)
        self._normal_in_a_row = 0
        self._episode = last
        open_episode = last is not None and last.ended_ns is None
        self._phase = AlarmPhase.ACTIVE if open_episode else AlarmPhase.NORMAL

    @property
    def state(self) -> AlarmState:
        """Where the alarm stands now."""
        return self._state()

    def update(self, verdict: Verdict, window_start_ns: int) -> AlarmState:
        """Take a window's verdict; windows come in order of time."""
        if verdict.blocked:
            return self._state()
        self._forget(window_start_ns)
        seen = _Seen(window_start_ns, verdict.score, verdict.is_anomalous)
        self._recent.append(seen)
        if self._phase is AlarmPhase.NORMAL:
            return self._raise(seen)
        return self._go_on(seen, verdict)

    def acknowledge(self) -> AlarmState:
        """A person has seen it: a latched alarm ends, an active one may end by itself from now on."""
        if self._phase is AlarmPhase.LATCHED:
            self._phase = AlarmPhase.NORMAL
            self._normal_in_a_row = 0
            self._recent.clear()
            return self._state(cleared=True)
        return self._state()

    def _forget(self, now_ns: int) -> None:
        """Windows from before a long gap are no neighbours of this one."""
        reach_ns = int((self._budget.raise_within + 0.5) * self._budget.window_hop_s * _NS_PER_S)
        while self._recent and now_ns - self._recent[0].start_ns > reach_ns:
            self._recent.popleft()

    def _raise(self, seen: _Seen) -> AlarmState:
        anomalous = [item for item in self._recent if item.anomalous]
        if not seen.anomalous or len(anomalous) < self._budget.raise_after:
            return self._state()
        peak = max(anomalous, key=lambda item: item.score)
        self._episode = Episode(
            number=self._episode.number + 1 if self._episode else 1,
            raised_ns=seen.start_ns,
            first_anomalous_ns=anomalous[0].start_ns,
            ended_ns=None,
            peak_score=peak.score,
            peak_ns=peak.start_ns,
            anomalous_windows=len(anomalous),
        )
        self._phase = AlarmPhase.ACTIVE
        self._normal_in_a_row = 0
        return self._state(raised=True)

    def _go_on(self, seen: _Seen, verdict: Verdict) -> AlarmState:
        episode = self._episode
        assert episode is not None  # an alarm that is not normal has one
        below = seen.score < verdict.threshold * (1.0 - self._budget.hysteresis)
        self._normal_in_a_row = self._normal_in_a_row + 1 if below else 0
        if self._phase is AlarmPhase.LATCHED:
            if not seen.anomalous:
                return self._state()
            self._phase = AlarmPhase.ACTIVE
            episode = replace(episode, ended_ns=None)
        if seen.anomalous:
            higher = seen.score > episode.peak_score
            episode = replace(
                episode,
                anomalous_windows=episode.anomalous_windows + 1,
                peak_score=seen.score if higher else episode.peak_score,
                peak_ns=seen.start_ns if higher else episode.peak_ns,
            )
        self._episode = episode
        if self._normal_in_a_row < self._budget.clear_after:
            return self._state()
        self._episode = replace(episode, ended_ns=seen.start_ns)
        self._phase = AlarmPhase.LATCHED if self._budget.latch else AlarmPhase.NORMAL
        self._normal_in_a_row = 0
        self._recent.clear()
        return self._state(cleared=not self._budget.latch)

    def _state(self, *, raised: bool = False, cleared: bool = False) -> AlarmState:
        recent = sum(item.anomalous for item in self._recent)
        return AlarmState(self._phase, self._episode, raised, cleared, recent)
