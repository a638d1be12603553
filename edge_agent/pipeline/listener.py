"""Who listens to one channel: identity, score and alarm of each window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, Self

from edge_agent.detection.alarm import AlarmMachine, AlarmPhase, AlarmState, Episode
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.faults import FaultGuess, FaultPrototypes
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from edge_agent.detection.verdict import HealthFinding, Verdict
from edge_agent.inference.manifest import Label
from edge_agent.pipeline.identity import Identifier, Identity
from edge_agent.pipeline.impression import Impression, impressions_of
from edge_agent.pipeline.match import Match, Matcher
from edge_agent.pipeline.mismatch import MismatchWatch
from edge_agent.pipeline.window import AnalysedWindow


class MachineState(StrEnum):
    """What one window says of its machine."""

    NORMAL = "normal"
    SUSPECT = "suspect"
    ALARM = "alarm"
    INPUT_FAULT = "input_fault"
    UNCOMMISSIONED = "uncommissioned"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Heard:
    """What was made of one window.

    Attributes:
        machine_id: The machine.
        identity: What it sounds like; None where no patch was whole.
        verdict: How odd it is and why; None for a machine without a profile.
        state: What it says.
        alarm: Where the machine's alarm stands after it; None for a machine without a profile.
        match: The commissioned machine that it is most alike to; None where none can be compared.
        prior: Type whose prior the profile was learnt with; None without a profile.
        fault: The fault that an anomalous window sounds like, where the bundle knows the type's faults.
    """

    machine_id: str
    identity: Identity | None
    verdict: Verdict | None
    state: MachineState
    alarm: AlarmState | None
    match: Match | None = None
    prior: str | None = None
    fault: FaultGuess | None = None


class Listener(Protocol):
    """Hears the windows of one channel."""

    def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
        """Make of a window what can be made of it; `start_ns` is its wall time."""


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """What can be said of a window without those before it.

    Attributes:
        machine_id: The machine that it is taken for.
        window: The window.
        impression: What it sounds like.
        verdict: How odd it is and why; None for a machine without a profile.
    """

    machine_id: str
    window: AnalysedWindow
    impression: Impression
    verdict: Verdict | None


class ManyListener(Listener, Protocol):
    """Hears windows several at once: what stands in each of them first, then what follows from their order."""

    def consider(self, windows: Sequence[AnalysedWindow]) -> list[Opinion]:
        """What can be said of each by itself. Pure."""

    def conclude(self, opinion: Opinion, start_ns: int) -> Heard:
        """What follows with the windows before it, which were concluded before; `start_ns` is its wall time."""


class MachineListener:
    """Hears the windows of one machine, in order of time.

    Args:
        machine_id: The machine.
        identifier: Names what a window sounds like.
        profile: What commissioning learnt; None before.
        prior_of: The bundle's prior of a machine type, needed with a profile.
        matcher: All commissioned machines, to find a window that sounds like another one.
        labels: What the encoder's logits stand for.
        faults: The faults that operators named on machines of the type.

    Raises:
        DetectionError: The profile does not belong to the bundle's prior.
    """

    def __init__(
        self,
        machine_id: str,
        identifier: Identifier,
        profile: Profile | None,
        prior_of: Callable[[str], TypePrior],
        *,
        matcher: Matcher | None = None,
        labels: Sequence[Label] = (),
        faults: FaultPrototypes | None = None,
    ) -> None:
        self.machine_id = machine_id
        self._identifier = identifier
        self._profile = profile
        self._matcher = matcher or Matcher({})
        self._faults = faults
        self._scorer: MachineScorer | None = None
        self._budget: AlarmBudget | None = None
        if profile is not None:
            self._scorer = MachineScorer(profile, prior_of(profile.machine_type))
            self._budget = profile.budget
        self._watch: MismatchWatch | None = None
        if profile is not None:
            self._watch = MismatchWatch(machine_id, profile.machine_type, self._matcher, labels)
        self.forget()

    def forget(self) -> None:
        """What comes next is another recording: alarm counting starts anew."""
        self._alarm = AlarmMachine(self._budget) if self._scorer is not None and self._budget is not None else None
        if self._watch is not None:
            self._watch.forget()

    def resume(self, episode: Episode) -> None:
        """Go on with an alarm that was on when the agent ended."""
        if self._budget is not None:
            self._alarm = AlarmMachine(self._budget, episode)

    def take_over(self, former: Self) -> None:
        """Go on with the alarm where the former listener of this machine stands.

        With the same budget its counting of windows goes on too; with another one only an open alarm does.
        """
        if self._budget is None or former._alarm is None:
            return
        same = self._budget == former._budget
        self._alarm = former._alarm if same else AlarmMachine(self._budget, former._alarm.state.episode)

    def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
        """Make of a window what can be made of it; `start_ns` is its wall time."""
        (opinion,) = self.consider((window,))
        return self.conclude(opinion, start_ns)

    def consider(self, windows: Sequence[AnalysedWindow]) -> list[Opinion]:
        """What can be said of each window by itself. Pure."""
        features = [window.features for window in windows]
        return self.judge(windows, impressions_of(features, self._identifier, self._matcher))

    def judge(self, windows: Sequence[AnalysedWindow], impressions: Sequence[Impression]) -> list[Opinion]:
        """As `consider`, where it is known what the windows sound like."""
        verdicts: Sequence[Verdict | None] = [None] * len(windows)
        if self._scorer is not None:
            verdicts = self._scorer.score_all([(window.features, window.level) for window in windows])
        return [
            Opinion(self.machine_id, window, impression, verdict)
            for window, impression, verdict in zip(windows, impressions, verdicts, strict=True)
        ]

    def conclude(self, opinion: Opinion, start_ns: int) -> Heard:
        """What follows with the windows before it, which were concluded before; `start_ns` is its wall time."""
        sounds, verdict, features = opinion.impression, opinion.verdict, opinion.window.features
        if verdict is None or self._alarm is None or self._profile is None:
            return Heard(self.machine_id, sounds.identity, None, MachineState.UNCOMMISSIONED, None, sounds.match)
        if self._watch is not None and not verdict.blocked:
            verdict = _with(verdict, self._watch.update(features, sounds.distances, sounds.identity))
        alarm = self._alarm.update(verdict, start_ns)
        prior = self._profile.prior_name
        fault = self._faults.guess(features.embeddings) if self._faults is not None and verdict.is_anomalous else None
        state = _state(verdict, alarm)
        return Heard(self.machine_id, sounds.identity, verdict, state, alarm, sounds.match, prior, fault)


def _with(verdict: Verdict, finding: HealthFinding | None) -> Verdict:
    """The verdict with one more finding; nothing is anomalous that is not of this machine."""
    if finding is None:
        return verdict
    anomalous = verdict.is_anomalous and not finding.blocking
    return replace(verdict, health=(*verdict.health, finding), is_anomalous=anomalous)


def _state(verdict: Verdict, alarm: AlarmState) -> MachineState:
    if verdict.blocked:
        return MachineState.INPUT_FAULT
    if alarm.phase is not AlarmPhase.NORMAL:
        return MachineState.ALARM
    return MachineState.SUSPECT if verdict.is_anomalous else MachineState.NORMAL
