"""Machines as Home Assistant finds them: one device each, and one for the gateway, in a single payload per device.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (2024.11 and newer).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from edge_agent.delivery.fields import WireModel
from edge_agent.delivery.signals import Letter
from edge_agent.delivery.topics import Topics

TOPIC_PATTERN = r"^([A-Za-z0-9_-]+/)+device/edge_agent_[A-Za-z0-9_-]+/config$"
"""Every topic of these letters; none of anybody else's."""

_DATA = "value_json.data"
_STATES = ["normal", "suspect", "alarm", "input_fault", "uncommissioned", "unknown"]


class Component(WireModel):
    """One entity; the keys are Home Assistant's."""

    platform: Literal["sensor", "binary_sensor"]
    unique_id: str
    name: str | None
    state_topic: str
    value_template: str
    device_class: str | None = None
    state_class: Literal["measurement"] | None = None
    unit_of_measurement: str | None = None
    entity_category: Literal["diagnostic"] | None = None
    icon: str | None = None
    options: tuple[str, ...] | None = None
    payload_on: str | None = None
    payload_off: str | None = None
    json_attributes_topic: str | None = None
    json_attributes_template: str | None = None
    availability: tuple[Mapping[str, str], ...] | None = None
    availability_mode: Literal["all"] | None = None
    suggested_display_precision: Annotated[int, Field(ge=0)] | None = None


class Device(WireModel):
    """What the entities belong to."""

    identifiers: tuple[str, ...]
    name: str
    manufacturer: str
    model: str
    sw_version: str
    via_device: str | None = None


class Origin(WireModel):
    """Who says so."""

    name: str
    sw_version: str


class DeviceDiscovery(WireModel):
    """One payload of `<prefix>/device/<object id>/config`."""

    device: Device
    origin: Origin
    components: dict[str, Component]
    qos: int = 1


def discovery(
    topics: Topics, machines: Mapping[str, Sequence[str]], *, version: str, prefix: str = "homeassistant"
) -> tuple[Letter, ...]:
    """Letters that make Home Assistant show the gateway and its machines.

    Args:
        topics: The gateway's.
        machines: Who is watched, each with the sources that hear it.
        version: Of the software.
        prefix: Home Assistant's discovery prefix.
    """
    base = _object_id(topics)
    origin = Origin(name="edge-agent", sw_version=version)
    gateway = DeviceDiscovery(
        device=_gateway(base, topics, version), origin=origin, components=_of_gateway(base, topics)
    )
    letters = [_letter(prefix, base, gateway)]
    for machine, sources in machines.items():
        name = _object_id(topics, machine)
        device = Device(
            identifiers=(name,), name=machine, manufacturer="edge-agent", model="machine", sw_version=version,
            via_device=base,
        )  # fmt: skip
        payload = DeviceDiscovery(device=device, origin=origin, components=_of_machine(name, topics, machine, sources))
        letters.append(_letter(prefix, name, payload))
    return tuple(letters)


def _letter(prefix: str, object_id: str, payload: DeviceDiscovery) -> Letter:
    return Letter(f"{prefix}/device/{object_id}/config", payload.model_dump_json(exclude_none=True).encode())


def _object_id(topics: Topics, *machine: str) -> str:
    """The id of a gateway or of one of its machines, with the characters that Home Assistant allows.

    Two of them never have the same, of whatever gateway or root: where the readable part could be another's, some
    digits of the topic's hash follow.

    >>> _object_id(Topics("edge_agent", "north", "gw1"), "pump_1")
    'edge_agent_north_gw1_pump_1'
    >>> _object_id(Topics("edge_agent", "north", "gw1"), "hall.1")
    'edge_agent_north_gw1_hall--1_338d0da1'
    """
    parts = (topics.site, topics.gateway, *machine)
    readable = "_".join(("edge_agent", *(re.sub(r"[^A-Za-z0-9_-]", "--", part) for part in parts)))
    unique = (
        topics.root == "edge_agent"
        and "_" not in topics.site + topics.gateway
        and not any("." in part or "--" in part for part in parts)
    )
    if unique:
        return readable
    return f"{readable}_{hashlib.sha256('/'.join((topics.base, *machine)).encode()).hexdigest()[:8]}"


def _gateway(base: str, topics: Topics, version: str) -> Device:
    return Device(
        identifiers=(base,),
        name=f"{topics.site} {topics.gateway}",
        manufacturer="edge-agent",
        model="gateway",
        sw_version=version,
    )


def _of_gateway(base: str, topics: Topics) -> dict[str, Component]:
    return {
        "connectivity": Component(
            platform="binary_sensor",
            unique_id=f"{base}_connectivity",
            name="Connectivity",
            device_class="connectivity",
            entity_category="diagnostic",
            state_topic=topics.status,
            value_template=_on_off(f"{_DATA}.state == 'online'"),
            payload_on="ON",
            payload_off="OFF",
        ),
        "plant_event": Component(
            platform="binary_sensor",
            unique_id=f"{base}_plant_event",
            name="Plant event",
            device_class="problem",
            state_topic=topics.plant_alarm,
            value_template=_alarm_on(),
            payload_on="ON",
            payload_off="OFF",
            json_attributes_topic=topics.plant_alarm,
            json_attributes_template=_attributes("text", "machines", "raised_at"),
            availability=(_online(topics),),
        ),
    }


def _of_machine(name: str, topics: Topics, machine: str, sources: Sequence[str]) -> dict[str, Component]:
    result, alarm, health = (
        topics.machine_result(machine),
        topics.machine_alarm(machine),
        topics.machine_health(machine),
    )
    heard = tuple(_delivers(topics, source) for source in sources)
    there = (_online(topics),)
    return {
        "problem": Component(
            platform="binary_sensor",
            unique_id=f"{name}_problem",
            name="Problem",
            device_class="problem",
            state_topic=alarm,
            value_template=_alarm_on(),
            payload_on="ON",
            payload_off="OFF",
            json_attributes_topic=alarm,
            json_attributes_template=_attributes("text", "severity", "state", "alarm", "raised_at"),
            availability=there,
        ),
        "alarm": Component(
            platform="sensor",
            unique_id=f"{name}_alarm",
            name="Alarm",
            icon="mdi:alarm-light-outline",
            state_topic=alarm,
            value_template=f"{{{{ {_DATA}.state }}}}",
            availability=there,
        ),
        "input_fault": Component(
            platform="binary_sensor",
            unique_id=f"{name}_input_fault",
            name="Input fault",
            device_class="problem",
            entity_category="diagnostic",
            state_topic=result,
            value_template=_on_off(f"{_DATA}.state == 'input_fault' or {_DATA}.input_health | length > 0"),
            payload_on="ON",
            payload_off="OFF",
            availability=(*there, *heard),
            availability_mode="all",
        ),
        "score": Component(
            platform="sensor",
            unique_id=f"{name}_score",
            name="Anomaly score",
            icon="mdi:waveform",
            state_class="measurement",
            suggested_display_precision=2,
            state_topic=result,
            value_template=f"{{{{ {_DATA}.anomaly.score if {_DATA}.anomaly else None }}}}",
            json_attributes_topic=result,
            json_attributes_template=_attributes("anomaly", "identity", "window_start"),
            availability=(*there, *heard),
            availability_mode="all",
        ),
        "state": Component(
            platform="sensor",
            unique_id=f"{name}_state",
            name="State",
            device_class="enum",
            options=tuple(_STATES),
            state_topic=result,
            value_template=f"{{{{ {_DATA}.state }}}}",
            availability=(*there, *heard),
            availability_mode="all",
        ),
        "level": Component(
            platform="sensor",
            unique_id=f"{name}_level",
            name="Level",
            icon="mdi:volume-high",
            state_class="measurement",
            unit_of_measurement="dBFS",
            suggested_display_precision=1,
            entity_category="diagnostic",
            state_topic=result,
            value_template=f"{{{{ {_DATA}.level_dbfs }}}}",
            availability=(*there, *heard),
            availability_mode="all",
        ),
        "health": Component(
            platform="sensor",
            unique_id=f"{name}_health",
            name="Health index",
            icon="mdi:heart-pulse",
            state_class="measurement",
            unit_of_measurement="%",
            suggested_display_precision=0,
            state_topic=health,
            value_template=f"{{{{ {_DATA}.index * 100 }}}}",
            json_attributes_topic=health,
            json_attributes_template=_attributes("zone", "trend_per_day", "days_to_limit"),
            availability=there,
        ),
    }


def _on_off(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"


def _alarm_on() -> str:
    return _on_off(f"{_DATA}.state in ['unacknowledged', 'acknowledged', 'suppressed']")


def _attributes(*keys: str) -> str:
    # what an event may leave out is null, where a template would fail of it
    pairs = ", ".join(f"'{key}': {_DATA}.{key} | default(none)" for key in keys)
    return f"{{{{ {{{pairs}}} | tojson }}}}"


def _online(topics: Topics) -> Mapping[str, str]:
    return {"topic": topics.status, "value_template": f"{{{{ {_DATA}.state }}}}"}


def _delivers(topics: Topics, source: str) -> Mapping[str, str]:
    template = f"{{{{ 'online' if {_DATA}.state in ['up', 'degraded'] else 'offline' }}}}"
    return {"topic": topics.source_state(source), "value_template": template}
