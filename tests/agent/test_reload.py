"""What a reload changes: `compare`, and the engine whose sources come and go."""

from __future__ import annotations

import tomllib

import pytest

from edge_agent.agent.reload import compare
from edge_agent.config.settings import AgentSettings

BASE = """
[[machine]]
id = "fan_1"
[[machine]]
id = "fan_2"
[[source]]
id = "mic_1"
kind = "simulated"
[[source.channel]]
machine = "fan_1"
[[source]]
id = "mic_2"
kind = "simulated"
[[source.channel]]
machine = "fan_2"
"""


def settings(text: str) -> AgentSettings:
    return AgentSettings(**tomllib.loads(text))


@pytest.mark.parametrize(
    ("new", "sections", "waiting", "leaving", "coming"),
    [
        (BASE, (), (), (), ()),
        (BASE + '[log]\nlevel = "debug"\n', ("log",), (), (), ()),
        (BASE + "[detection]\nraise_after = 2\n", ("detection",), (), (), ()),
        (BASE + '[mqtt]\nhost = "10.0.0.1"\n', ("mqtt",), (), (), ()),
        (BASE + "[mqtt]\nenabled = false\nport = 9\n", ("mqtt",), ("mqtt.enabled",), (), ()),
        (BASE + "[mqtt.outbox]\nmax_age_s = 3600\n", (), ("mqtt.outbox.max_age_s",), (), ()),
        (BASE + "[http]\nport = 9\n", (), ("http.port",), (), ()),
        (BASE + '[agent]\nsite = "b"\n[model]\nbundle = "other"\n', (), ("agent.site", "model.bundle"), (), ()),
        (BASE + "[window]\nhop_s = 5.0\n", (), ("window.hop_s",), (), ()),
        (BASE.split('[[source]]\nid = "mic_2"', maxsplit=1)[0], ("source",), (), ("mic_2",), ()),
        (BASE.replace('id = "mic_2"', 'id = "mic_2"\nseed = 1'), ("source",), (), ("mic_2",), ("mic_2",)),
        (BASE.replace('id = "mic_2"', 'id = "mic_3"'), ("source",), (), ("mic_2",), ("mic_3",)),
        (BASE.replace('id = "fan_1"', 'id = "fan_1"\ntype = "pump"'), ("machine",), (), ("mic_1",), ("mic_1",)),
        (BASE.replace('id = "fan_1"', 'id = "fan_1"\nfalse_alarms_per_week = 2.0'), ("machine",), (), (), ()),
    ],
    ids=[
        "nothing", "log", "detection", "broker", "broker off waits", "outbox waits", "http waits", "identity waits",
        "window waits", "source removed", "source changed", "source renamed", "simulated type", "machine's budget",
    ],
)  # fmt: skip
def test_what_changes(
    new: str,
    sections: tuple[str, ...],
    waiting: tuple[str, ...],
    leaving: tuple[str, ...],
    coming: tuple[str, ...],
) -> None:
    changes = compare(settings(BASE), settings(new))
    assert (changes.sections, changes.waiting, changes.leaving, changes.coming) == (sections, waiting, leaving, coming)


def test_what_waits_for_a_restart_stays_as_it_is_and_is_told_again() -> None:
    old, new = settings(BASE), settings(BASE + '[http]\nport = 9\n[log]\nlevel = "debug"\n[mqtt]\nroot_topic = "x"\n')
    changes = compare(old, new)
    assert changes.effective.http == old.http
    assert changes.effective.mqtt == old.mqtt
    assert changes.effective.log == new.log
    assert str(changes) == "took over log; at the next restart: http.port, mqtt.root_topic"
    again = compare(changes.effective, new)
    assert again.sections == () and again.waiting == changes.waiting


DEVICE = """
[[machine]]
id = "fan_1"
[[machine]]
id = "fan_2"
[[source]]
id = "box"
kind = "microphone"
device = "usb:1-1"
[[source.channel]]
index = 3
machine = "fan_1"
"""


@pytest.mark.parametrize(
    ("new", "restarts"),
    [
        (DEVICE.replace('machine = "fan_1"', 'machine = "fan_2"'), False),
        (DEVICE.replace('machine = "fan_1"', 'machine = "fan_1"\ncalibration_db = 120.0'), False),
        (DEVICE + '[[source.channel]]\nindex = 0\nmachine = "fan_2"\n', False),
        (DEVICE + '[[source.channel]]\nindex = 4\nmachine = "fan_2"\n', True),
        (DEVICE.replace("index = 3", "index = 2"), True),
        (DEVICE.replace("usb:1-1", "usb:1-2"), True),
        (DEVICE.replace('device = "usb:1-1"', 'device = "usb:1-1"\nstall_s = 4.0'), True),
    ],
    ids=["other machine", "calibrated", "lower channel", "higher channel", "highest gone", "other device", "patience"],
)
def test_a_device_is_opened_again_only_where_it_must_be(new: str, restarts: bool) -> None:
    changes = compare(settings(DEVICE), settings(new))
    assert "source" in changes.sections
    assert (changes.leaving, changes.coming) == ((("box",), ("box",)) if restarts else ((), ()))
