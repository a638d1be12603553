"""Ties the page to the agent's parts. They are asked at each request, so they need not be there when the port opens."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

import edge_agent
from edge_agent.agent.alarming.desk import AlarmDesk
from edge_agent.agent.asking.commander import Asked, Commander
from edge_agent.agent.clips.desk import ClipDesk
from edge_agent.agent.clips.keeping import ClipKeeping, clips_dir, store_limits
from edge_agent.agent.profiles import ProfileStore
from edge_agent.agent.telling.readings import ledger_readings
from edge_agent.agent.telling.uplink import Uplink
from edge_agent.alarms.history import history
from edge_agent.capture.clock import NS_PER_S, SystemClock
from edge_agent.capture.ledger import LedgerSnapshot
from edge_agent.clips.store import ClipStore
from edge_agent.commissioning.tap import Taps
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.fields import rfc3339
from edge_agent.detection.profile import Profile
from edge_agent.inference.bundle import Bundle
from edge_agent.observe.health import HealthReport
from edge_agent.observe.readings import SyncReading
from edge_agent.web.alarms import AlarmPages
from edge_agent.web.clips import ClipPages
from edge_agent.web.commission import CommissionPages
from edge_agent.web.extension import Extension
from edge_agent.web.frontage import Behind
from edge_agent.web.gateway import AgentGateway
from edge_agent.web.live_frames import LiveFrames
from edge_agent.web.teacher import AgentTeacher
from edge_agent.web.views import MachineFacts


@dataclass(frozen=True, slots=True)
class AgentParts:
    """The parts of an agent that its page asks.

    Attributes:
        settings: Those of this moment.
        bundle: The models in use at this moment.
        state_dir: Where everything lies.
        clock: Time.
        started_ns: Wall time of the start.
        registry: What /metrics shows.
        health: Every part's state.
        ledgers: Every channel's books.
        taps: For listening in.
        frames: Log-mel frames as they are computed.
        store: Profiles.
        alarms, commander, uplink, sync, clips: Made after the port was taken.
        describe: What a profile says.
    """

    settings: Callable[[], AgentSettings]
    bundle: Callable[[], Bundle]
    state_dir: Path
    clock: SystemClock
    started_ns: int
    registry: CollectorRegistry
    health: Callable[[], HealthReport]
    ledgers: Callable[[], Iterable[LedgerSnapshot]]
    taps: Taps
    frames: LiveFrames
    store: ProfileStore
    alarms: Callable[[], AlarmDesk]
    commander: Callable[[], Commander]
    uplink: Callable[[], Uplink | None]
    sync: Callable[[], SyncReading | None]
    clips: Callable[[], ClipKeeping | None]
    describe: Callable[[Profile], list[str]]


def behind(parts: AgentParts) -> Behind:
    """What stands behind the page of an agent."""
    settings = parts.settings()
    clips = None
    if settings.clips.enabled:
        clips = _clip_pages(parts)
    teacher = AgentTeacher(
        taps=parts.taps,
        store=parts.store,
        settings=parts.settings,
        bundle=parts.bundle,
        learning_frozen=lambda machine: parts.alarms().learning_frozen(machine),
        in_words=parts.describe,
        health=parts.health,
    )
    alarms = AlarmPages(
        alarms=lambda: parts.alarms().alarms(),
        history=history(parts.state_dir).newest,
        perform=lambda verb, payload, caller: parts.commander().handle(Asked(verb, payload, "page", caller=caller)),
        now=lambda: rfc3339(parts.clock.wall_ns()),
        clips_of=(lambda _episodes: {}) if clips is None else clips.of_episodes,
    )
    extensions: tuple[Extension, ...] = (alarms, CommissionPages(teacher))
    return Behind(
        registry=parts.registry,
        health=parts.health,
        frames=parts.frames,
        gateway=lambda facts: _gateway(parts, facts),
        extensions=extensions if clips is None else (*extensions, clips),
    )


def _clip_pages(parts: AgentParts) -> ClipPages:
    def opened() -> ClipStore:
        return ClipStore(clips_dir(parts.state_dir), store_limits(parts.settings()))

    desk = ClipDesk(
        keeping=parts.clips,
        open_store=opened,
        is_watched=lambda machine: parts.alarms().is_watched(machine),
        record=lambda entry: parts.commander().record(entry),
        clock=parts.clock,
    )
    return ClipPages(opened, desk)


def _gateway(parts: AgentParts, facts: Callable[[], tuple[MachineFacts, ...]]) -> AgentGateway:
    def bundle() -> tuple[str, str, str]:
        ref = parts.bundle().ref
        return ref.name, ref.version, ref.sha256

    agent = parts.settings().agent
    return AgentGateway(
        site=agent.site,
        gateway=agent.gateway,
        version=edge_agent.__version__,
        bundle=bundle,
        started_s=parts.started_ns / NS_PER_S,
        now_s=lambda: parts.clock.wall_ns() / NS_PER_S,
        clock_synced=parts.clock.is_synced,
        health=parts.health,
        ledgers=lambda: ledger_readings(parts.ledgers()),
        facts=facts,
        outbox=lambda: None if (uplink := parts.uplink()) is None else uplink.outbox_reading(),
        delivery=lambda: None if (uplink := parts.uplink()) is None else uplink.delivery_reading(),
        sync=parts.sync,
    )
