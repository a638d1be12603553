"""The agent as a user meets it: its command line in this process, and the daemon as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from edge_agent import cli
from tests.support.broker import wait_until

ROOT = Path(__file__).parents[2]
BUNDLE = Path(os.environ.get("EDGE_AGENT_TEST_BUNDLE", ROOT / "models" / "default"))
"""The shipped bundle, or another one that is to be tried."""

RECORDINGS = Path(os.environ.get("MACHINE_SOUND_DATA", ROOT.parent / "shared" / "data"))

needs_recordings = pytest.mark.skipif(
    not (RECORDINGS / "manifest.csv").is_file(), reason=f"no development recordings in {RECORDINGS}"
)


@dataclass(frozen=True)
class Done:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of `replay --json`."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def scores(self) -> list[float]:
        """The score of every event."""
        return [event["data"]["anomaly"]["score"] for event in self.events]


class Shell:
    """Runs `edge-agent` commands in this process, with all that they and their libraries write."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *words: str | Path) -> Done:
        self._capfd.readouterr()
        try:
            status = cli.main([str(word) for word in words])
        except SystemExit as exit_:  # argparse's way to refuse
            status = int(exit_.code or 0)
        captured = self._capfd.readouterr()
        return Done(status, captured.out, captured.err)


def machine_sound(
    seconds: float, rate_hz: int = 16_000, *, seed: int = 0, whine: float = 0.0
) -> npt.NDArray[np.float32]:
    """Noise under three orders of a shaft; `whine` adds a tone at 3.1 kHz, which no normal one has."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).standard_normal(len(time_s))
    orders = sum(np.sin(2 * np.pi * 97.0 * order * time_s) / order for order in (1, 2, 3))
    sound = 0.02 * noise + 0.05 * orders + whine * np.sin(2 * np.pi * 3_100.0 * time_s)
    return np.asarray(sound, np.float32)


def write_sound(path: Path, samples: npt.NDArray[np.float32], rate_hz: int = 16_000, subtype: str = "PCM_16") -> Path:
    """Write a WAV or FLAC file, `[n]` or `[n, channels]`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def tree(directory: Path) -> dict[str, bytes]:
    """Every file under a directory, to show that nothing changed."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def write_config(
    path: Path, *, state_dir: Path, mqtt_port: int | None, http_port: int, body: str, site: str = ""
) -> Path:
    """A configuration file: a broker's port (None: no broker), a port for HTTP, and machines and sources as TOML."""
    mqtt = "enabled = false" if mqtt_port is None else f"port = {mqtt_port}"
    clips = "" if "[clips]" in body else "[clips]\nmin_free_bytes = 0\n"  # a test machine's disk may be nearly full
    path.write_text(
        f'[agent]\nsite = "plant"\ngateway = "gw"\nstate_dir = "{state_dir}"\n{site}\n[mqtt]\n{mqtt}\n'
        f'[http]\nport = {http_port}\n[model]\nbundle = "{BUNDLE}/"\n{clips}{body}\n',
        encoding="utf-8",
    )
    return path


class Agent:
    """One `edge-agent run` as a process of its own."""

    def __init__(
        self,
        config: Path,
        http_port: int,
        log: Path,
        environ: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        *,
        python: str | Path = sys.executable,
    ) -> None:
        self.http_port = http_port
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [*prefix, python, "-m", "edge_agent", "run", "--config", str(config)],
                stdout=file,
                stderr=file,
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
            )

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages; status 0 where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            return int(error.code), error.read().decode()
        except OSError:
            return 0, ""

    def get_bytes(self, path: str) -> bytes:
        """What a page holds that is no text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as response:
            return bytes(response.read())

    def windows(self, machine: str) -> list[dict[str, Any]]:
        """The machine's last windows, the newest first, as the page is told of them."""
        return list(json.loads(self.get(f"/api/machines/{machine}")[1])["windows"])

    def newest_window(self, machine: str) -> object:
        """The number of its newest window; None before the first."""
        windows = self.windows(machine)
        return windows[0]["index"] if windows else None

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Until a source is heard."""
        wait_until(lambda: self._alive() and self.get("/readyz")[0] == 200, timeout_s, "the agent's /readyz")

    def stop(self, timeout_s: float = 30.0) -> int:
        """End it as systemd does; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def _alive(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"the agent ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        return True


@contextmanager
def running(
    config: Path,
    http_port: int,
    log: Path,
    environ: Mapping[str, str] | None = None,
    *,
    prefix: tuple[str, ...] = (),
    python: str | Path = sys.executable,
) -> Iterator[Agent]:
    """An agent that is gone at the end of the block, whatever happened."""
    agent = Agent(config, http_port, log, environ, prefix, python=python)
    try:
        yield agent
    finally:
        if agent.process.poll() is None:
            agent.kill()


def copy_bundle(directory: Path) -> Path:
    """A copy of the bundle, to be damaged."""
    return Path(shutil.copytree(BUNDLE, directory))
