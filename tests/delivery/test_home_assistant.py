"""What Home Assistant is told: by rules stored here, and by its own validators (`tools/home-assistant`)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge_agent.delivery.events import Data
from edge_agent.delivery.home_assistant import discovery
from edge_agent.delivery.result import InputFinding
from edge_agent.delivery.topics import Topics
from tests.delivery import samples

ROOT = Path(__file__).parents[2]
TOPICS = Topics("edge_agent", "north", "gw1")
LETTERS = discovery(TOPICS, {"fan-1": ["mic"], "hall.2": []}, version="0.1.0", prefix="homeassistant")
PAYLOADS: dict[str, dict[str, Any]] = {letter.topic: json.loads(letter.payload) for letter in LETTERS}
COMPONENTS = [component for payload in PAYLOADS.values() for component in payload["components"].values()]

HALL = next(topic for topic in PAYLOADS if "hall" in topic).removesuffix("/config").rsplit("_", 1)[1]

KEYS = {
    "availability", "availability_mode", "device_class", "entity_category", "icon", "json_attributes_template",
    "json_attributes_topic", "name", "platform", "state_topic", "unique_id", "value_template",
}  # fmt: skip
KEYS_OF = {
    "sensor": KEYS | {"options", "state_class", "suggested_display_precision", "unit_of_measurement"},
    "binary_sensor": KEYS | {"payload_off", "payload_on"},
}
DEVICE_CLASSES = {"sensor": {None, "enum"}, "binary_sensor": {"problem", "connectivity"}}
"""Of Home Assistant 2024.11's documentation, as far as it is used here."""


def test_one_payload_for_each_device_where_it_is_looked_for() -> None:
    assert list(PAYLOADS) == [
        "homeassistant/device/edge_agent_north_gw1/config",
        "homeassistant/device/edge_agent_north_gw1_fan-1/config",
        f"homeassistant/device/edge_agent_north_gw1_hall--2_{HALL}/config",
    ]
    assert all(letter.retain for letter in LETTERS)
    for payload in PAYLOADS.values():
        assert set(payload) == {"device", "origin", "components", "qos"}
        assert payload["origin"]["name"] == "edge-agent"


def test_entities_follow_the_stored_rules() -> None:
    ids = [component["unique_id"] for component in COMPONENTS]
    assert len(set(ids)) == len(ids)
    for component in COMPONENTS:
        platform = component["platform"]
        assert set(component) <= KEYS_OF[platform], component["unique_id"]
        assert component.get("device_class") in DEVICE_CLASSES[platform]
        assert component["value_template"].startswith("{{ ")
        assert "#" not in component["state_topic"]
        assert "+" not in component["state_topic"]
        if component.get("device_class") == "enum":
            assert "state_class" not in component
            assert component["options"]
        if len(component.get("availability", [])) > 1:
            assert component["availability_mode"] == "all"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("edge_agent", "north", "gw1", "hall.2"), ("edge_agent", "north", "gw1", "hall--2")),
        (("edge_agent", "north", "gw", "2"), ("edge_agent", "north", "gw_2")),
        (("edge_agent", "a_b", "c"), ("edge_agent", "a", "b_c")),
        (("edge_agent", "a", "b", "c"), ("edge_agent", "a_b", "c")),
        (("edge_agent", "a", "b"), ("trial", "a", "b")),
        (("edge_agent", "a", "b_c", "d"), ("edge_agent", "a", "b", "c_d")),
    ],
)
def test_no_two_devices_are_one(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    def ids(root: str, site: str, gateway: str, *machines: str) -> set[str]:
        letters = discovery(Topics(root, site, gateway), {machine: [] for machine in machines}, version="0")
        return {letter.topic for letter in letters[1 if machines else 0 :]}

    assert not ids(*one) & ids(*other)


def test_every_entity_of_a_machine_is_there() -> None:
    fan = PAYLOADS["homeassistant/device/edge_agent_north_gw1_fan-1/config"]
    assert set(fan["components"]) == {"problem", "alarm", "input_fault", "score", "state", "level", "health"}
    assert fan["device"]["via_device"] == "edge_agent_north_gw1"
    gateway = PAYLOADS["homeassistant/device/edge_agent_north_gw1/config"]
    assert gateway["components"]["connectivity"]["state_topic"] == TOPICS.status


@pytest.fixture(scope="module")
def home_assistant() -> str:
    """An interpreter with Home Assistant: the one that is named, or that of `tools/home-assistant`, made in CI."""
    named = os.environ.get("EDGE_AGENT_HOME_ASSISTANT_PYTHON")
    if named:
        return named
    in_ci = os.environ.get("CI") == "true"
    if not in_ci and not (ROOT / ".cache" / "home-assistant" / "made").exists():
        pytest.skip("no Home Assistant; tools/home-assistant installs it once")
    made = subprocess.run([ROOT / "tools" / "home-assistant"], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode:
        (pytest.fail if in_ci else pytest.skip)("tools/home-assistant could not install it; its output says why")
    return made.stdout.strip()


def _event(data: Data) -> tuple[str, object]:
    message = samples.factory(TOPICS).make(data, occurred_ns=samples.TIME_NS)
    return message.topic, json.loads(message.payload)


def _states() -> list[dict[str, object]]:
    """First an event of every topic that entities read, then events with little in them, and of a dead agent."""
    plant = samples.alarm("gw1").model_copy(update={"kind": "plant_event", "machines": ("fan-1", "hall.2")})
    usual: list[Data] = [samples.status(), samples.source_state(), plant]
    for machine in ("fan-1", "hall.2"):
        usual += [samples.result(machine), samples.alarm(machine), samples.health(machine)]
    finding = InputFinding(name="dead", value=None, limit=None, text="digital silence; \"check\" <cable> & 'channel'")
    bare = samples.alarm(state="shelved").model_copy(update={"anomaly": None, "text": ""})
    empty: dict[str, object] = {"level_dbfs": None, "anomaly": None, "identity": None}
    return [
        dict(map(_event, usual)),
        dict(map(_event, [
            samples.result(state="input_fault", input_health=(finding,), **empty), bare,
            plant.model_copy(update={"machines": None}),
            samples.status().model_copy(update={"state": "offline", "reason": "lost"}),
            samples.source_state().model_copy(update={"state": "down", "detail": "unplugged"}),
        ])),
        dict([_event(samples.result(state="uncommissioned", **empty))]),
    ]  # fmt: skip


def _judged(python: str, discovery: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, Path(__file__).with_name("home_assistant_check.py")],
        input=json.dumps({"discovery": discovery, "states": _states()}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )


one_worker = pytest.mark.xdist_group("home-assistant")  # the environment is made once


@one_worker
@pytest.mark.timeout(600)
def test_home_assistants_own_validators_and_templates_agree(home_assistant: str) -> None:
    done = _judged(home_assistant, PAYLOADS)
    assert done.returncode == 0, done.stderr
    shown: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        entity, state = line.rsplit(" ", 1)
        shown.setdefault(entity, []).append(state)
    assert len(shown) == len(COMPONENTS)
    fan = "edge_agent_north_gw1_fan-1"
    assert {key.removeprefix(f"{fan}_"): value for key, value in shown.items() if key.startswith(f"{fan}_")} == {
        "problem": ["ON", "OFF"], "alarm": ["unacknowledged", "shelved"], "input_fault": ["OFF", "ON", "OFF"],
        "score": ["3.25", "None", "None"], "state": ["normal", "input_fault", "uncommissioned"],
        "level": ["-31.25", "None", "None"], "health": ["75.0"],
    }  # fmt: skip
    assert shown["edge_agent_north_gw1_connectivity"] == ["ON", "OFF"]
    assert shown["edge_agent_north_gw1_plant_event"] == ["ON", "ON"]


@one_worker
@pytest.mark.timeout(600)
def test_home_assistants_validators_refuse_what_is_wrong(home_assistant: str) -> None:
    """A judge that takes anything would prove nothing."""
    wrong = json.loads(json.dumps(PAYLOADS))
    next(iter(wrong["homeassistant/device/edge_agent_north_gw1_fan-1/config"]["components"].values()))[
        "device_class"
    ] = "often"
    done = _judged(home_assistant, wrong)
    assert done.returncode != 0
    assert "device_class" in done.stderr
