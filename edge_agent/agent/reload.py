"""What a new configuration changes of a running agent: per section, and per source. Pure."""

from dataclasses import dataclass

from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import SimulatedSection, SourceSection

_FIXED_SECTIONS = ("agent", "window", "model", "alarms", "clips", "hub", "http")
"""What every part was built from; only a restart takes it over."""

_FIXED_MQTT = ("enabled", "root_topic", "commands", "home_assistant")
_FIXED_OUTBOX = ("max_bytes", "max_age_s")


@dataclass(frozen=True, slots=True)
class Changes:
    """From the settings in use to new ones.

    Attributes:
        effective: The new settings, but for the keys that wait for a restart: those stay as they are.
        sections: Sections that differ and are taken over now.
        waiting: Keys that differ and are taken over at the next restart.
        leaving: Sources to stop: those removed and those changed.
        coming: Sources to start: those added and those changed.
    """

    effective: AgentSettings
    sections: tuple[str, ...]
    waiting: tuple[str, ...]
    leaving: tuple[str, ...]
    coming: tuple[str, ...]

    def __str__(self) -> str:
        taken = f"took over {', '.join(self.sections)}" if self.sections else "nothing to take over"
        return taken + (f"; at the next restart: {', '.join(self.waiting)}" if self.waiting else "")


def compare(old: AgentSettings, new: AgentSettings) -> Changes:
    """What becomes of a running agent with settings `old` that is given `new`.

    >>> from edge_agent.config.http import HttpSection
    >>> from edge_agent.config.log import LogSection
    >>> str(compare(AgentSettings(), AgentSettings(log=LogSection(level="debug"), http=HttpSection(port=9))))
    'took over log; at the next restart: http.port'
    """
    outbox = new.mqtt.outbox.model_copy(update={key: getattr(old.mqtt.outbox, key) for key in _FIXED_OUTBOX})
    mqtt = new.mqtt.model_copy(update={"outbox": outbox, **{key: getattr(old.mqtt, key) for key in _FIXED_MQTT}})
    kept = {name: getattr(old, name) for name in _FIXED_SECTIONS}
    effective = new.model_copy(update={"mqtt": mqtt, **kept})
    waiting = [
        f"{name}.{key}"
        for name in _FIXED_SECTIONS
        for key in type(getattr(old, name)).model_fields
        if getattr(getattr(old, name), key) != getattr(getattr(new, name), key)
    ]
    waiting += [f"mqtt.{key}" for key in _FIXED_MQTT if getattr(old.mqtt, key) != getattr(new.mqtt, key)]
    waiting += [
        f"mqtt.outbox.{key}" for key in _FIXED_OUTBOX if getattr(old.mqtt.outbox, key) != getattr(new.mqtt.outbox, key)
    ]
    before = {source.id: _built_from(source, old) for source in old.source}
    after = {source.id: _built_from(source, effective) for source in effective.source}
    return Changes(
        effective=effective,
        sections=tuple(name for name in AgentSettings.model_fields if getattr(old, name) != getattr(effective, name)),
        waiting=tuple(waiting),
        leaving=tuple(name for name, parts in before.items() if after.get(name) != parts),
        coming=tuple(name for name, parts in after.items() if before.get(name) != parts),
    )


def _built_from(source: SourceSection, settings: AgentSettings) -> tuple[object, ...]:
    """All that decides how a source is opened; a simulated one sounds like the types of its machines.

    Which of a device's channels are heard, and by whom, is no part of it while the highest one stays: it is opened with
    all channels up to that.
    """
    if not isinstance(source, SimulatedSection):
        return (source.model_copy(update={"channel": ()}), max(channel.index for channel in source.channel))
    types = {machine.id: machine.type for machine in settings.machine}
    return (source, *(types.get(channel.machine) for channel in source.channel))
