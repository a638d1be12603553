"""Parts that an agent may do without, as it is configured; what they import costs memory, for those who have them."""

from typing import TYPE_CHECKING

import edge_agent
from edge_agent.agent.clips.keeping import ClipKeeping
from edge_agent.agent.telling.uplink import Uplink
from edge_agent.delivery.message import MessageFactory
from edge_agent.delivery.reporting import bundle_reference
from edge_agent.delivery.result import BundleRef
from edge_agent.delivery.status import GatewayFacts
from edge_agent.delivery.topics import Topics
from edge_agent.delivery.ulid import UlidFactory

if TYPE_CHECKING:
    from edge_agent.agent.hub.link import HubLink
    from edge_agent.agent.hub.updates import Updates
    from edge_agent.daemon.parts import Parts

_BEHIND_BLOCKS = 256  # more than a round takes: the scorer does not keep up, and clips give way


def open_uplink(parts: "Parts", topics: Topics, messages: MessageFactory, bundle: BundleRef) -> Uplink | None:
    """What delivers to the brokers; None where none is used."""
    if not parts.settings.mqtt.enabled:
        return None
    return Uplink(
        parts.settings,
        parts.environ,
        state_dir=parts.state_dir,
        topics=topics,
        messages=messages,
        facts=lambda: _facts(parts, bundle_reference(parts.bundle.ref)),
        clock=parts.clock,
        metrics=parts.metrics,
        health=parts.health,
        kept=parts.hub,
    )


def open_hub(parts: "Parts", bundle: BundleRef) -> "HubLink | None":
    """What speaks with the hub; None where there is none."""
    if not parts.settings.hub.enabled:
        return None
    from edge_agent.agent.hub.link import HubLink  # noqa: PLC0415  what speaks HTTP costs memory, for those with a hub

    return HubLink(
        parts.settings,
        parts.environ,
        state_dir=parts.state_dir,
        started_ns=parts.started_ns,
        bundle=bundle,
        clock=parts.clock,
        computing_s=lambda: parts.engine.computing_s,
        metrics=parts.metrics,
        health=parts.health,
        updates=None if parts.updates is None else parts.updates.desk,
    )


def open_updates(parts: "Parts") -> "Updates | None":
    """What takes bundles from the hub; None where it sends none."""
    hub = parts.settings.hub
    if not hub.enabled or hub.transport != "network" or hub.root_file is None:
        return None
    from edge_agent.agent.hub.updates import Updates  # noqa: PLC0415  as for the hub

    return Updates(
        lambda: parts.settings,
        parts.environ,
        state_dir=parts.state_dir,
        bundle=parts.bundle,
        left_at_start=parts.left_at_start,
        behind=lambda: len(parts.queue) > _BEHIND_BLOCKS,
        metrics=parts.metrics,
    )


def open_clips(parts: "Parts", bundle: BundleRef, ulids: UlidFactory) -> ClipKeeping | None:
    """What keeps clips; None where none are kept."""
    settings = parts.settings
    if not settings.clips.enabled:
        return None
    return ClipKeeping(
        settings,
        state_dir=parts.state_dir,
        bundle=bundle,
        new_id=ulids,
        clock=parts.clock,
        metrics=parts.metrics,
        health=parts.health,
        behind=lambda: len(parts.queue) > _BEHIND_BLOCKS,
        alarms=parts.alarms,
    )


def _facts(parts: "Parts", bundle: BundleRef) -> GatewayFacts:
    return GatewayFacts(
        gateway=parts.settings.agent.gateway,
        agent_version=edge_agent.__version__,
        started_ns=parts.started_ns,
        bundle=bundle,
        machines=tuple(machine.id for machine in parts.settings.machine),
        clock_synced=parts.clock.is_synced(),
    )
