"""One commissioning of one machine, step by step. Pure: what is heard is handed in, nothing is printed or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge_agent.commissioning.items import Ended, HeardWindow, Item, Level, SourceStatus
from edge_agent.commissioning.withhold import KEEP_ALL, Withhold, without
from edge_agent.delivery.fields import rfc3339
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.input_health import CLIPPED_FRACTION, DC_STEP, dead_input
from edge_agent.detection.profile import Profile

if TYPE_CHECKING:
    from edge_agent.detection.commission import Learnt

PROVISIONAL_S = 60.0
STRETCH_S = 30.0
"""Each half minute is a recording of its own: what is held out together, and what is left out if it is odd."""
MIN_WINDOWS = 3
_SPARED = 0.02  # of what is wanted: a source that lost a few samples is not listened to for one window more
USELESS_S = 60.0
"""An input that taught nothing for so long is not waited for any more."""


class Phase(StrEnum):
    """Where a commissioning stands."""

    LISTENING = "listening"
    LEARNT = "learnt"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    DISCARDED = "discarded"


class NoteKind(StrEnum):
    """What a note is about."""

    SOURCE = "source"
    INPUT_PROBLEM = "input_problem"
    INPUT_SOUND = "input_sound"
    PROVISIONAL = "provisional"
    NOT_YET = "not_yet"
    LEARNT = "learnt"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person who watches should know, in plain words."""

    kind: NoteKind
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a commissioning stands, for a meter.

    Attributes:
        phase: Its phase.
        heard_s: Usable sound so far, seconds.
        wanted_s: How much is wanted.
        windows: Usable windows so far.
        left_out: Windows that taught nothing, by reason.
        level: The input's level now; None before any.
        source: How the source does; None before anything is known.
        problem: What is wrong with the input now; empty where nothing is.
    """

    phase: Phase
    heard_s: float
    wanted_s: float
    windows: int
    left_out: tuple[tuple[str, int], ...]
    level: Level | None
    source: SourceStatus | None
    problem: str


class WrongPhaseError(RuntimeError):
    """A step that this phase does not allow; a defect of the caller."""


class CommissioningRun:
    """Gathers windows, learns provisionally after a minute and for good at the end, and waits to be accepted or not.

    The caller hands in what the machine's channel gives, and shows `progress` and the notes that come back. A fit takes
    seconds: it runs within the `take` of the window that makes it due.

    Args:
        learn: Commissions the machine from recordings.
        wanted_s: How much usable sound to gather.
        state: Operating state that the machine is in meanwhile, where it has several.
        withhold: Which windows are not kept beside the profile.
    """

    def __init__(
        self,
        learn: Callable[[Sequence[Recording]], Learnt],
        *,
        wanted_s: float,
        state: str | None = None,
        withhold: Withhold = KEEP_ALL,
    ) -> None:
        self._learn = learn
        self._wanted_s = wanted_s
        self._state = state
        self._phase = Phase.LISTENING
        self._withhold = withhold
        self._withheld: list[WindowFeatures] = []
        self._windows: list[HeardWindow] = []
        self._heard_s = 0.0
        self._left_out: Counter[str] = Counter()
        self._useless_s = 0.0
        self._level: Level | None = None
        self._source: SourceStatus | None = None
        self._problem = ""
        self._tried_early = wanted_s <= PROVISIONAL_S
        self._learnt: Learnt | None = None
        self._refusal = ""

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        return self._phase

    @property
    def profile(self) -> Profile | None:
        """What was learnt last, provisional or not."""
        return None if self._learnt is None else self._learnt.profile

    @property
    def refusal(self) -> str:
        """Why nothing could be learnt; empty where something was."""
        return self._refusal

    @property
    def withheld(self) -> str:
        """What is not kept, and why, in words for the verdict; empty where all is."""
        return self._withhold.in_words(len(self._withheld), len(self._windows)) if self._withheld else ""

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """What was gathered, a recording for each half minute, in order of time."""
        stretches: list[list[HeardWindow]] = []
        heard_s = 0.0
        for window in self._windows:
            if heard_s >= len(stretches) * STRETCH_S:
                stretches.append([])
            stretches[-1].append(window)
            heard_s += window.duration_s * window.coverage
        return tuple(self._recording(stretch) for stretch in stretches)

    @property
    def progress(self) -> Progress:
        """Where it stands, for a meter."""
        return Progress(
            phase=self._phase,
            heard_s=self._heard_s,
            wanted_s=self._wanted_s,
            windows=len(self._windows),
            left_out=tuple(sorted(self._left_out.items())),
            level=self._level,
            source=self._source,
            problem=self._problem,
        )

    def take(self, item: Item) -> tuple[Note, ...]:
        """Take what the channel gave; what comes once it has ended is ignored."""
        if self._phase is not Phase.LISTENING:
            return ()
        if isinstance(item, Level):
            self._level = item
        elif isinstance(item, SourceStatus):
            return self._source_changed(item)
        elif isinstance(item, HeardWindow):
            return self._hear(item)
        elif isinstance(item, Ended):
            return self.conclude()
        return ()

    def conclude(self) -> tuple[Note, ...]:
        """Learn from what there is, now; then it waits to be accepted or discarded."""
        self._require(Phase.LISTENING)
        learnt = self._fit()
        if learnt is None:
            self._phase = Phase.REFUSED
            self._learnt = None
            return (Note(NoteKind.REFUSED, self._refusal),)
        self._phase, self._learnt = Phase.LEARNT, learnt
        return (Note(NoteKind.LEARNT, "provisional" if learnt.profile.provisional else "calibrated"),)

    def go_on(self, more_s: float) -> None:
        """Listen for longer instead: after a refusal, or for more certainty."""
        self._require(Phase.LEARNT, Phase.REFUSED)
        self._phase = Phase.LISTENING
        self._useless_s = 0.0
        self._wanted_s = max(self._wanted_s, self._heard_s) + more_s

    def accept(self) -> tuple[Profile, tuple[Recording, ...]]:
        """A person takes it: the profile, and what of the recordings that it rests on is to be kept with it."""
        self._require(Phase.LEARNT)
        if self._learnt is None:
            raise AssertionError("learnt nothing, yet waits to be accepted")
        self._phase = Phase.ACCEPTED
        recordings = self.recordings
        parts = (without(recordings[i], self._withheld) for i in self._learnt.kept)
        return self._learnt.profile, tuple(part for part in parts if part is not None)

    def take_back(self) -> None:
        """What was accepted could not be kept: it waits again to be accepted or not."""
        self._require(Phase.ACCEPTED)
        self._phase = Phase.LEARNT

    def discard(self) -> None:
        """A person does not want it: what was gathered is forgotten. May be called at any time but after `accept`."""
        self._require(Phase.LISTENING, Phase.LEARNT, Phase.REFUSED, Phase.DISCARDED)
        self._phase = Phase.DISCARDED
        self._windows.clear()
        self._withheld.clear()
        self._learnt = None

    def _require(self, *phases: Phase) -> None:
        if self._phase not in phases:
            raise WrongPhaseError(f"a commissioning that is {self._phase} cannot do this; it must be {phases}")

    def _source_changed(self, status: SourceStatus) -> tuple[Note, ...]:
        if status == self._source:
            return ()
        self._source = status
        return (Note(NoteKind.SOURCE, f"{status.state}{f': {status.detail}' if status.detail else ''}"),)

    def _hear(self, window: HeardWindow) -> tuple[Note, ...]:
        last = self._windows[-1] if self._windows else None
        if (
            last is not None
            and window.start_s < last.start_s + last.duration_s - 1e-3
            and window.start_s >= last.start_s
        ):
            self._left_out["overlaps the one before"] += 1
            return ()
        if window.rejected is not None:
            return self._leave_out(window, window.rejected.replace("_", " "))
        notes = self._watch_input(window)
        dead = dead_input(window.features, window.level)
        if dead is not None:
            return (*notes, *self._leave_out(window, dead.code.value))
        self._useless_s = 0.0
        self._windows.append(window)
        if self._withhold.holds(window.features.log_mel_db):
            self._withheld.append(window.features)
        self._heard_s += window.duration_s * window.coverage
        if self._heard_s + min(_SPARED * self._wanted_s, window.duration_s / 2) >= self._wanted_s:
            return (*notes, *self.conclude())
        if not self._tried_early and self._heard_s >= PROVISIONAL_S:
            self._tried_early = True
            notes = (*notes, self._early())
        return notes

    def _leave_out(self, window: HeardWindow, reason: str) -> tuple[Note, ...]:
        """Count a window that teaches nothing; after a minute of them, make do with what there is."""
        self._left_out[reason] += 1
        self._useless_s += window.duration_s
        return self.conclude() if self._useless_s >= USELESS_S - 1e-6 else ()

    def _early(self) -> Note:
        learnt = self._fit()
        if learnt is None:
            return Note(NoteKind.NOT_YET, self._refusal)
        self._learnt = learnt
        return Note(NoteKind.PROVISIONAL, "a provisional profile can be learnt; the figures come with more sound")

    def _fit(self) -> Learnt | None:
        """What can be learnt from what there is; None where nothing can, with the reason in `refusal`."""
        if len(self._windows) < MIN_WINDOWS:
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self._left_out.items())) or "none came"
            self._refusal = f"only {len(self._windows)} windows with sound were heard (others: {reasons})"
            return None
        try:
            learnt = self._learn(self.recordings)
        except CommissioningError as error:
            self._refusal = str(error)
            return None
        self._refusal = ""
        return learnt

    def _watch_input(self, window: HeardWindow) -> tuple[Note, ...]:
        """A note where something comes to be wrong with the input, and where it is over."""
        problem = _problem_of(window)
        if problem == self._problem or (problem and self._problem):
            self._problem = problem
            return ()
        self._problem = problem
        kind = NoteKind.INPUT_PROBLEM if problem else NoteKind.INPUT_SOUND
        return (Note(kind, problem or "the input is sound again"),)

    def _recording(self, windows: Sequence[HeardWindow]) -> Recording:
        return Recording(
            name=f"live {rfc3339(windows[0].start_ns)}",
            windows=tuple(window.features for window in windows),
            levels=tuple(window.level for window in windows),
            starts_s=tuple(window.start_s - windows[0].start_s for window in windows),
            state=self._state,
        )


def _problem_of(window: HeardWindow) -> str:
    """What is wrong with the input as far as one window tells; empty where nothing is."""
    dead = dead_input(window.features, window.level)
    if dead is not None:
        return dead.message
    level = window.level
    if level is not None and level.clipped_fraction > CLIPPED_FRACTION:
        return f"{level.clipped_fraction:.1%} of samples are clipped; lower the gain"
    if level is not None and abs(level.dc) > DC_STEP:
        return f"mean is {level.dc:+.3f} of full scale; check the input's supply"
    return ""
