"""The demo as a person starts it: real agent, real broker, nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_agent.cli import main
from edge_agent.demo.broker import find_mosquitto
from edge_agent.demo.show import PREFIX

pytestmark = [pytest.mark.end_to_end, pytest.mark.xdist_group("demo"), pytest.mark.timeout(180)]

_COMMAND = (sys.executable, "-m", "edge_agent", "demo", "--plain")


def _environ(tmp_path: Path, **changes: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(tmp_path), **changes}


def _children_of(marker: Path) -> list[str]:
    """Processes of this machine whose command line names the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue  # it ended meanwhile
            if str(marker) in command:
                found.append(command.replace("\0", " "))
    return found


def _nothing_left(tmp_path: Path) -> None:
    assert list(tmp_path.glob(f"{PREFIX}*")) == []
    assert _children_of(tmp_path) == []


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_the_pump_fails_and_the_alarm_reaches_a_subscriber(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*_COMMAND, "--seconds", "6"], env=_environ(tmp_path), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    published, received = map(int, re.search(r"events: (\d+) published, (\d+) received", ended.stdout).groups())
    windows = re.findall(r"^ *(\d+):(\d\d)  fault", ended.stdout, re.MULTILINE)
    assert [int(minutes) * 60 + int(seconds) for minutes, seconds in windows] == list(range(0, 400, 10))
    assert published == received > len(windows)
    assert re.search(r"^ALARM at \d+:\d\d: pump_1 sounds unlike its normal", ended.stdout, re.MULTILINE)
    assert "sound: 400.0 s = 400.0 scored + 0.0 skipped + 0.0 lost + 0.0 pending" in ended.stdout
    _nothing_left(tmp_path)


def test_without_a_broker_the_events_wait_in_the_outbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("edge_agent.demo.show.find_mosquitto", lambda: None)
    assert main(["demo", "--plain", "--seconds", "6"]) == 0
    told = capsys.readouterr().out
    assert "install mosquitto" in told
    waiting = re.search(r"outbox: (\d+) events wait for a broker", told)
    assert waiting and int(waiting[1]) > 40
    assert "Alarm raised" in told
    _nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("number", "at"),
    [
        pytest.param(signal.SIGINT, "agent: process", id="SIGINT while it listens"),
        pytest.param(signal.SIGTERM, "learning", id="SIGTERM while it learns"),
    ],
)
def test_stopped_in_the_middle_it_leaves_nothing(tmp_path: Path, number: signal.Signals, at: str) -> None:
    demo = subprocess.Popen(
        [*_COMMAND, "--seconds", "60"],
        env=_environ(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith(at):
            break
    assert list(tmp_path.glob(f"{PREFIX}*")), "there should be something to clean up"
    if at.startswith("agent"):
        assert len(_children_of(tmp_path)) >= 1
    demo.send_signal(number)
    started_s = time.monotonic()
    _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert "Traceback" not in errors
    assert time.monotonic() - started_s < 20
    _nothing_left(tmp_path)
