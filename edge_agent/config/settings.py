"""All settings of the agent, and the checks that span sections."""

from collections.abc import Iterator
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from edge_agent.config.agent import AgentSection
from edge_agent.config.alarms import AlarmsSection
from edge_agent.config.clips import ClipsSection
from edge_agent.config.detection import DetectionSection
from edge_agent.config.http import HttpSection
from edge_agent.config.hub import HubSection
from edge_agent.config.log import LogSection
from edge_agent.config.machine import MachineSection
from edge_agent.config.model import ModelSection
from edge_agent.config.mqtt import MqttSection
from edge_agent.config.source import AUTO, SourceSection
from edge_agent.config.window import WindowSection
from edge_agent.settings.base import InconsistencyError, Location
from edge_agent.settings.whole import StrictSettings


class AgentSettings(StrictSettings):
    """All settings of the agent."""

    model_config = SettingsConfigDict(env_prefix="EDGE_AGENT__")

    agent: AgentSection = Field(
        default=AgentSection.defaults(), description="Who this agent is and where it keeps its state."
    )
    window: WindowSection = Field(
        default=WindowSection.defaults(), description="The stretch of sound one result speaks of."
    )
    model: ModelSection = Field(default=ModelSection.defaults(), description="The bundle that listens.")
    detection: DetectionSection = Field(
        default=DetectionSection.defaults(), description="When windows become an alarm."
    )
    alarms: AlarmsSection = Field(
        default=AlarmsSection.defaults(), description="How alarms behave once they are raised."
    )
    clips: ClipsSection = Field(
        default=ClipsSection.defaults(), description="Which sound is kept on this gateway, and how much of it."
    )
    mqtt: MqttSection = Field(default=MqttSection.defaults(), description="The broker that events go to.")
    hub: HubSection = Field(
        default=HubSection.defaults(),
        description="The centre that clips and events go up to, and bundles come down from.",
    )
    http: HttpSection = Field(default=HttpSection.defaults(), description="Metrics, health and the gateway's page.")
    log: LogSection = Field(default=LogSection.defaults(), description="What is written to standard error.")
    machine: tuple[MachineSection, ...] = Field(
        default=(), strict=False, max_length=256, description="The machines that are watched."
    )
    source: tuple[SourceSection, ...] = Field(
        default=(), strict=False, max_length=64, description="The inputs, and which machine each channel hears."
    )

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if problems := tuple(_inconsistencies(self)):
            raise InconsistencyError(*problems)
        return self

    def machine_of(self, machine_id: str) -> MachineSection:
        """The machine with this id; raises `KeyError`."""
        for machine in self.machine:
            if machine.id == machine_id:
                return machine
        raise KeyError(machine_id)


def _inconsistencies(settings: AgentSettings) -> Iterator[tuple[Location, str]]:
    machines: dict[str, int] = {}
    for number, machine in enumerate(settings.machine):
        if machine.id == AUTO:
            yield ("machine", number, "id"), f"{AUTO!r} is kept for channels that name no machine; choose another id"
        elif machine.id in machines:
            yield ("machine", number, "id"), f"{machine.id!r} is the id of machine[{machines[machine.id]}] too"
        machines.setdefault(machine.id, number)
    sources: dict[str, int] = {}
    heard: dict[str, str] = {}
    for number, source in enumerate(settings.source):
        if source.id in sources:
            yield ("source", number, "id"), f"{source.id!r} is the id of source[{sources[source.id]}] too"
        sources.setdefault(source.id, number)
        indices: set[int] = set()
        for position, channel in enumerate(source.channel):
            at: Location = ("source", number, "channel", position)
            if channel.index in indices:
                yield (*at, "index"), f"channel {channel.index} of {source.id!r} is listed twice"
            indices.add(channel.index)
            if channel.machine == AUTO:
                continue
            if channel.machine not in machines:
                known = ", ".join(map(repr, machines)) or "none"
                yield (*at, "machine"), f"no [[machine]] has the id {channel.machine!r}; known: {known}"
            elif channel.machine in heard:
                yield (
                    (*at, "machine"),
                    f"{channel.machine!r} is heard by {heard[channel.machine]} already; one channel each",
                )
            heard.setdefault(channel.machine, f"source[{number}].channel[{position}]")
