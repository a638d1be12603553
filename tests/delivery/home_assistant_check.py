"""Run by an interpreter that has Home Assistant: its own validators and templates on what it would be told.

Standard input: {"discovery": {topic: payload}, "states": {topic: event}}. Prints a line for each entity with what it
would show; a payload that Home Assistant refuses ends it with a traceback.
"""

import json
import logging
import sys

from homeassistant.components.mqtt import binary_sensor, sensor
from jinja2 import Environment

logging.disable(logging.CRITICAL)
SCHEMAS = {"sensor": sensor.DISCOVERY_SCHEMA, "binary_sensor": binary_sensor.DISCOVERY_SCHEMA}
environment = Environment()
environment.filters["tojson"] = json.dumps
given = json.load(sys.stdin)
for payload in given["discovery"].values():
    shared = {name: value for name, value in payload.items() if name != "components"}
    for component in payload["components"].values():
        entity = dict(component)
        SCHEMAS[entity.pop("platform")]({**entity, **shared})
        for topic_key, template_key in (
            ("state_topic", "value_template"),
            ("json_attributes_topic", "json_attributes_template"),
        ):
            if topic_key in component:
                event = given["states"][component[topic_key]]
                shown = environment.from_string(component[template_key]).render(value_json=event)
                if topic_key == "json_attributes_topic":
                    json.loads(shown)
                else:
                    print(component["unique_id"], shown)
