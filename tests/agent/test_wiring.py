"""From settings to the words of the parts."""

from pathlib import Path

import pytest

from edge_agent.agent.profiles import ProfileStore
from edge_agent.agent.wiring import alarm_budget, machines_of, mqtt_settings, outbox_limits, roster, source_plans
from edge_agent.config.load import load_settings
from edge_agent.config.settings import AgentSettings
from edge_agent.inference.bundle import load_bundle
from edge_agent.pipeline.listener import MachineListener
from edge_agent.settings.problems import ConfigError
from tests.support.agent import BUNDLE

TOML = """
[window]
hop_s = 5.0
[detection]
false_alarms_per_week = 2.0
raise_after = 2
raise_within = 4
[mqtt]
host = "broker.example"
port = 8883
username = "agent"
[mqtt.tls]
enabled = true
[mqtt.outbox]
max_bytes = 8388608
max_age_s = 7200
[[machine]]
id = "fan_1"
[[machine]]
id = "fan_2"
false_alarms_per_week = 0.5
[[source]]
id = "mic"
kind = "microphone"
device = "usb:1-1"
[[source.channel]]
index = 0
machine = "fan_1"
[[source.channel]]
index = 2
machine = "auto"
[[source]]
id = "sim"
kind = "simulated"
speed = 10.0
[[source.channel]]
machine = "fan_2"
"""


def _settings(path: Path, text: str = TOML) -> AgentSettings:
    path.write_text(text, encoding="utf-8")
    return load_settings(path, {})


@pytest.fixture
def settings(tmp_path: Path) -> AgentSettings:
    return _settings(tmp_path / "agent.toml")


def test_a_machine_may_have_a_budget_of_its_own(settings: AgentSettings) -> None:
    general, own = (alarm_budget(settings, machine) for machine in settings.machine)
    assert (general.false_alarms_per_week, own.false_alarms_per_week) == (2.0, 0.5)
    assert (own.raise_after, own.raise_within, own.window_hop_s) == (2, 4, 5.0)


def test_channels_are_heard_by_their_machine_or_by_the_router(settings: AgentSettings, tmp_path: Path) -> None:
    machines = roster(settings, load_bundle(BUNDLE), ProfileStore(tmp_path / "state"))
    plans = source_plans(settings, machines)
    assert [channel.index for channel in plans["mic"].channels] == [0, 2]
    assert plans["mic"].channels[0].listener is machines.listener("fan_1")
    assert not isinstance(plans["mic"].channels[1].listener, MachineListener)
    assert plans["mic"].stamped_by_arrival
    assert not plans["sim"].stamped_by_arrival
    assert machines_of(settings) == {"mic": ("fan_1",), "sim": ("fan_2",)}
    assert not (tmp_path / "state").exists()


def test_the_way_to_the_broker(settings: AgentSettings, tmp_path: Path) -> None:
    made = mqtt_settings(settings, {})
    assert (made.host, made.port, made.username, made.password) == ("broker.example", 8883, "agent", None)
    assert made.tls is not None
    assert (outbox_limits(settings).max_bytes, outbox_limits(settings).max_age_s) == (8_388_608, 7_200.0)


def test_a_password_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n", encoding="utf-8")
    secret.chmod(0o600)
    text = TOML.replace('username = "agent"', f'username = "agent"\npassword_file = "{secret}"')
    made = mqtt_settings(_settings(tmp_path / "agent.toml", text), {})
    assert made.password == "hunter2"
    assert "hunter2" not in repr(made)


def test_counts_that_no_alarm_can_have_are_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"agent\.toml:\d+: detection\.raise_after"):
        _settings(tmp_path / "agent.toml", TOML.replace("raise_after = 2", "raise_after = 9"))
