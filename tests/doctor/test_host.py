from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_agent.config.load import load_settings
from edge_agent.config.settings import AgentSettings
from edge_agent.doctor.finding import State
from edge_agent.doctor.host import (
    MIB,
    examine_clock,
    examine_disk,
    examine_memory,
    examine_permissions,
    examine_service,
    judge_unit,
)


def test_a_disk_with_room_is_ok_and_keeps_no_probe(tmp_path: Path) -> None:
    findings = list(examine_disk(tmp_path / "state" / "of" / "agent", outbox_bytes=MIB))
    assert [finding.state for finding in findings] == [State.OK, State.OK]
    assert f"{tmp_path} can be written" in findings[0].summary
    assert not list(tmp_path.iterdir())


def test_an_outbox_larger_than_the_disk_is_told(tmp_path: Path) -> None:
    assert list(examine_disk(tmp_path, outbox_bytes=1 << 60))[1].state is State.WARN


def test_a_directory_that_cannot_be_written_fails() -> None:
    (finding,) = examine_disk(Path("/proc/self"), outbox_bytes=0)  # nobody can make a file there, not even root
    assert finding.state is State.FAIL and "cannot be written" in finding.summary and finding.mend


@pytest.mark.parametrize(
    ("meminfo", "state"),
    [
        ("MemTotal: 9 kB\nMemAvailable:  200000 kB\n", State.OK),
        ("MemAvailable: 100000 kB\n", State.WARN),
        ("MemTotal: 9 kB\n", State.WARN),
    ],
    ids=["fits", "too little", "not told"],
)
def test_memory(meminfo: str, state: State) -> None:
    assert examine_memory(AgentSettings(), meminfo).state is state


@pytest.mark.parametrize(
    ("now_s", "synced", "state", "words"),
    [
        (1_800_000_000.0, True, State.OK, "synchronised"),
        (1_800_000_000.0, False, State.WARN, "clock_synced = false"),
        (86_400.0, True, State.WARN, "1970-01-02"),
    ],
    ids=["good", "not synchronised", "never set"],
)
def test_clock(now_s: float, synced: bool, state: State, words: str) -> None:
    finding = examine_clock(now_s=now_s, synced=synced)
    assert finding.state is state and words in finding.summary


MICROPHONE = """
[[machine]]
id = "fan"
[[source]]
id = "mic"
kind = "microphone"
device = "ALSA:hw:CARD=Mic,DEV=0"
[[source.channel]]
machine = "fan"
"""


@pytest.fixture
def microphone(tmp_path: Path) -> AgentSettings:
    path = tmp_path / "agent.toml"
    path.write_text(MICROPHONE)
    return load_settings(path, {})


def test_permissions_matter_only_with_a_microphone(microphone: AgentSettings, tmp_path: Path) -> None:
    (without,) = examine_permissions(AgentSettings())
    (absent,) = examine_permissions(microphone, tmp_path / "snd")
    assert without.state is State.OK
    assert absent.state is State.WARN and "sound card" in absent.summary


@pytest.mark.skipif(os.geteuid() == 0, reason="root opens everything")
def test_a_device_of_others_fails(microphone: AgentSettings, tmp_path: Path) -> None:
    (tmp_path / "pcmC0D0c").touch(mode=0o000)
    (finding,) = examine_permissions(microphone, tmp_path)
    assert finding.state is State.FAIL and "audio" in finding.mend


@pytest.mark.parametrize(
    ("values", "state", "words"),
    [
        ({"LoadState": "not-found"}, State.OK, "not installed"),
        ({"LoadState": "loaded", "ActiveState": "inactive"}, State.WARN, "not running"),
        ({"LoadState": "loaded", "ActiveState": "failed", "Result": "watchdog"}, State.FAIL, "watchdog"),
        ({"LoadState": "loaded", "ActiveState": "active", "NRestarts": "0"}, State.OK, "is active"),
        ({"LoadState": "loaded", "ActiveState": "active", "NRestarts": "3"}, State.WARN, "restarted 3 times"),
        (
            {"LoadState": "loaded", "ActiveState": "active", "StatusText": "configuration on disk is bad, ..."},
            State.WARN,
            "is bad",
        ),
    ],
    ids=["absent", "stopped", "failed", "well", "restarted", "bad configuration"],
)
def test_what_the_unit_says(values: dict[str, str], state: State, words: str) -> None:
    finding = judge_unit(values)
    assert finding.state is state and words in finding.summary


def test_an_agent_that_is_down_is_told_with_its_reasons() -> None:
    health: dict[str, object] = {"state": "down", "live": {}, "ready": {"ok": False, "reasons": ["no source is up"]}}
    first = next(iter(examine_service(health)))
    assert first.state is State.WARN and "no source is up" in first.summary
