"""`edge-agent devices` on a real sound server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pulse import PulseServer, pulse
from tests.support.tones import tone

__all__ = ["pulse"]


def devices(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_agent", "devices", *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_tokens_are_listed_to_be_pasted(pulse: PulseServer) -> None:
    done = devices("--pulse-server", f"unix:{pulse.socket}")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows[pulse.token("mic0")][:2] == ["1", "16000"]
    assert "ALSA:mic1" in rows
    assert not {"ALSA:default", "ALSA:pulse"} & set(rows), "what the system chooses is no name"


def test_meter_shows_the_level_of_the_named_one(pulse: PulseServer) -> None:
    with pulse.playing("mic1", tone(1000, 20, 16_000, 0.1)):
        done = devices("--meter", pulse.token("mic1"), "--seconds", "3")
    assert done.returncode == 0, done.stderr
    assert "-23.0 dBFS peak  -20.0" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("token", ["0", "hw:0,0", "default"])
def test_what_moves_is_refused(pulse: PulseServer, token: str) -> None:
    done = devices("--meter", token)
    assert done.returncode == 1
    assert "moves at a reboot" in done.stderr or "sound system chooses" in done.stderr
    assert "Traceback" not in done.stderr


def test_absent_server_is_told(tmp_path: Path, pulse: PulseServer) -> None:
    done = devices("--pulse-server", f"unix:{tmp_path}/none")
    assert done.returncode == 1
    assert "does not answer" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "1e9"])
def test_absurd_duration_is_refused(pulse: PulseServer, seconds: str) -> None:
    done = devices("--meter", "--seconds", seconds)
    assert done.returncode == 1
    assert "--seconds" in done.stderr
