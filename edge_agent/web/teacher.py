"""Commissioning by the running agent, for the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_agent.agent.clips.normals import withheld_by
from edge_agent.agent.profiles import ProfileStore
from edge_agent.agent.wiring import alarm_budget
from edge_agent.commissioning.direct import channel_of
from edge_agent.commissioning.items import InAlarm, SourceStatus
from edge_agent.commissioning.lesson import Lesson
from edge_agent.commissioning.tap import Tap, Taps
from edge_agent.commissioning.withhold import Withhold
from edge_agent.config.settings import AgentSettings
from edge_agent.detection.features import Recording
from edge_agent.detection.profile import Profile
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import Bundle
from edge_agent.observe.health import HealthReport, Kind
from edge_agent.web.commission import Ear


@dataclass(frozen=True, slots=True)
class AgentTeacher:
    """Listens in through the agent's taps and keeps profiles in its store.

    Attributes:
        taps: The agent's.
        store: Where profiles lie; the agent takes new ones up by itself.
        settings: Those of this moment.
        bundle: The models in use.
        learning_frozen: Whether a machine is in alarm.
        in_words: What a profile says.
        health: Every part's state.
    """

    taps: Taps
    store: ProfileStore
    settings: Callable[[], AgentSettings]
    bundle: Callable[[], Bundle]
    learning_frozen: Callable[[str], bool]
    in_words: Callable[[Profile], list[str]]
    health: Callable[[], HealthReport]

    def listen(self, machine: str) -> Tap:
        """Begin to hear a machine's channel; raises `CommandError` where nobody hears it."""
        source, index = channel_of(self.settings(), machine)
        return self.taps.open(source.id, index)

    def leave(self, ear: Ear) -> None:
        """Hear it no more."""
        if isinstance(ear, Tap):
            self.taps.close(ear)

    def lesson(self, machine: str) -> Lesson:
        """What the machine is to be learnt with; raises `CommandError` for one that is not configured."""
        settings = self.settings()
        section = next((each for each in settings.machine if each.id == machine), None)
        if section is None:
            raise CommandError(f"{machine} is not in the configuration; add a [[machine]] and reload")
        budget = alarm_budget(settings, section)
        return Lesson(machine_id=machine, machine_type=section.type, bundle=self.bundle(), budget=budget)

    def withhold(self) -> Withhold:
        """Which windows are not kept beside a profile."""
        return withheld_by(self.settings())

    def save(self, profile: Profile, recordings: Sequence[Recording], lesson: Lesson) -> None:
        """Put a profile in use; raises `CommandError` where the disk refuses."""
        self.store.save(profile, lesson.normals(recordings) if recordings else None)

    def describe(self, profile: Profile) -> list[str]:
        """What was found."""
        return self.in_words(profile)

    def frozen(self, machine: str) -> str | None:
        """Why nothing may be learnt now."""
        if self.learning_frozen(machine):
            return str(InAlarm(machine))
        return None

    def status(self, ear: Ear) -> SourceStatus | None:
        """How the source does that is heard."""
        if not isinstance(ear, Tap):
            return None
        sources = (part for part in self.health().components if part.kind is Kind.SOURCE)
        found = next((source for source in sources if source.name == ear.source_id), None)
        return None if found is None else SourceStatus(found.state.value, found.detail)
