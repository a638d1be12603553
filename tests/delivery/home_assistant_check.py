"""Run by an interpreter that has Home Assistant: its own validators and template engine on what it would be told.

Standard input: {"discovery": {topic: payload}, "states": [{topic: event}]}. Prints a line for each entity and state
with what it would show; a payload that Home Assistant refuses, or a template that fails, ends it with a traceback.
"""

import asyncio
import json
import logging
import sys
import tempfile
from typing import Any

from homeassistant.components.mqtt import binary_sensor, sensor
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

SCHEMAS = {"sensor": sensor.DISCOVERY_SCHEMA, "binary_sensor": binary_sensor.DISCOVERY_SCHEMA}


class _Loud(logging.Handler):
    """Home Assistant logs what a template cannot find, and shows the entity without it."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "Template" in message:
            raise SystemExit(message)


def shown(hass: HomeAssistant, template: str, event: object) -> str:
    """What a template makes of an event, as Home Assistant would."""
    return str(Template(template, hass).async_render_with_possible_json_value(json.dumps(event), "failed"))


def judge(hass: HomeAssistant, component: dict[str, Any], shared: dict[str, Any], states: list[dict[str, Any]]) -> None:
    entity = dict(component)
    SCHEMAS[entity.pop("platform")]({**entity, **shared})
    for events in states:
        if (event := events.get(component["state_topic"])) is not None:
            state = shown(hass, component["value_template"], event)
            if "options" in component:
                assert state in component["options"], state
            if "state_class" in component:
                assert state == "None" or float(state) == float(state), state
            print(component["unique_id"], state)
        if (event := events.get(component.get("json_attributes_topic"))) is not None:
            attributes = json.loads(shown(hass, component["json_attributes_template"], event))
            assert isinstance(attributes, dict)
        for availability in component.get("availability", ()):
            if (event := events.get(availability["topic"])) is not None:
                assert shown(hass, availability["value_template"], event) in ("online", "offline")


async def main() -> None:
    """Judge everything."""
    given = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as directory:
        hass = HomeAssistant(directory)
        for payload in given["discovery"].values():
            shared = {name: value for name, value in payload.items() if name != "components"}
            for component in payload["components"].values():
                judge(hass, component, shared, given["states"])


logging.basicConfig(handlers=[_Loud()], level=logging.WARNING)
asyncio.run(main())
