"""A plant for the live benchmark: microphones of known time, commissioned machines, and the agent on one core."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from edge_agent.detection.profile import Profile
from tests.support.broker import free_port
from tests.support.pulse import PulseServer

RATE_HZ = 16_000
PACKET_S = 0.02
MOST_CHANNELS = 32
"""Of one source."""

SOUND_S = 60
"""Then it begins again."""


@dataclass(frozen=True)
class Line:
    """One source of the plant: its name, how many channels, and the lines of the configuration that reach it."""

    name: str
    channels: int
    settings: str


def plant_sound() -> npt.NDArray[np.float32]:
    """A machine with three orders of a shaft under noise, `[samples]`."""
    time_s = np.arange(SOUND_S * RATE_HZ) / RATE_HZ
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    orders = sum(np.sin(2 * np.pi * 97.0 * order * time_s) / order for order in (1, 2, 3))
    return (0.02 * noise + 0.05 * orders).astype(np.float32)


def columns(sound: npt.NDArray[np.float32], channels: int) -> npt.NDArray[np.float32]:
    """Each channel hears another moment of it, `[samples, channels]`."""
    return np.stack([np.roll(sound, channel * 7919) for channel in range(channels)], axis=1)


class Sender:
    """Sends 16-bit samples over TCP, each packet of 20 ms when its last sample would have been captured.

    `began_s` is the wall time of sample 0 of the connection, so that when a window truly ended is known without asking
    the agent.
    """

    def __init__(self, sound: npt.NDArray[np.float32], channels: int) -> None:
        self.began_s: float | None = None
        self.late_s = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        frames = round(PACKET_S * RATE_HZ)
        samples = np.round(columns(sound, channels) * 32_767).astype("<i2").tobytes()
        size = frames * channels * 2
        self._packets = [samples[first : first + size] for first in range(0, len(samples) - size + 1, size)]
        self._closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._listener.close()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            began_s, self.began_s = time.monotonic(), time.time()
            count = 0
            while not self._closed.is_set():
                count += 1
                early_s = began_s + count * PACKET_S - time.monotonic()
                if early_s > 0:
                    time.sleep(early_s)
                self.late_s = max(self.late_s, -early_s)
                try:
                    connection.sendall(self._packets[(count - 1) % len(self._packets)])
                except OSError:
                    return


@dataclass
class Plant:
    """What stands around the agent."""

    directory: Path
    lines: list[Line] = field(default_factory=list)
    senders: dict[str, Sender] = field(default_factory=dict)
    http_port: int = field(default_factory=free_port)

    def stream(self, channels: int, sound: npt.NDArray[np.float32], stack: ExitStack) -> None:
        """Microphones on the network, at most 32 channels each."""
        for number, first in enumerate(range(0, channels, MOST_CHANNELS)):
            count = min(MOST_CHANNELS, channels - first)
            sender = self.senders[f"line_{number}"] = Sender(sound, count)
            stack.callback(sender.close)
            url = f'kind = "stream"\nurl = "tcp://127.0.0.1:{sender.port}"\nchannels = {count}\n'
            self.lines.append(Line(f"line_{number}", count, url))

    def microphone(self, channels: int, sound: npt.NDArray[np.float32], stack: ExitStack) -> None:
        """One real recorded device of so many channels."""
        (self.directory / "pulse").mkdir()
        server = PulseServer(self.directory / "pulse", ("mic",), rate_hz=RATE_HZ, channels=channels)
        server.start()
        stack.callback(server.stop)
        # the agent's clock is not the server's: what is played lasts for the longest run
        stack.enter_context(server.playing("mic", np.tile(columns(sound, channels), (10, 1)), latency_ms=500))
        self.lines.append(Line("line_0", channels, f'kind = "microphone"\ndevice = "{server.token("mic")}"\n'))

    def machines(self) -> list[str]:
        """All of them, in the order of channels."""
        return [f"{line.name}_{index}" for line in self.lines for index in range(line.channels)]

    def configure(self, broker_port: int, window_s: float) -> Path:
        """Write the configuration."""
        parts = [
            f'[agent]\nstate_dir = "{self.directory}/state"\n[http]\nport = {self.http_port}\n',
            f"[window]\nwindow_s = {window_s}\nhop_s = {window_s}\n[mqtt]\nport = {broker_port}\n",
            *(f'[[machine]]\nid = "{machine}"\ntype = "fan"\n' for machine in self.machines()),
        ]
        for line in self.lines:
            parts.append(f'[[source]]\nid = "{line.name}"\n{line.settings}')
            parts += [f'[[source.channel]]\nindex = {i}\nmachine = "{line.name}_{i}"\n' for i in range(line.channels)]
        path = self.directory / "agent.toml"
        path.write_text("".join(parts), encoding="utf-8")
        return path


def commission(directory: Path, sound: npt.NDArray[np.float32], bundle: Path) -> Profile:
    """A profile of the plant's machine, by the command line."""
    clips = directory / "clips"
    clips.mkdir()
    for index in range(5):
        soundfile.write(clips / f"{index}.wav", sound[index * 10 * RATE_HZ :][: 10 * RATE_HZ], RATE_HZ)
    state = directory / "commissioning"
    command = [sys.executable, "-m", "edge_agent", "commission", "--machine", "m", "--type", "fan"]
    command += ["--bundle", str(bundle), "--state-dir", str(state), "--from", str(clips)]
    subprocess.run(command, check=True, capture_output=True)
    return Profile.load(state / "profiles" / "m.npz")


def hand_out(profile: Profile, machines: list[str], state_dir: Path) -> None:
    """Let every machine have learnt the same."""
    (state_dir / "profiles").mkdir(parents=True)
    for machine in machines:
        replace(profile, machine_id=machine).save(state_dir / "profiles" / f"{machine}.npz")


@contextmanager
def running(config: Path, bundle: Path, cpu: int) -> Iterator[subprocess.Popen[bytes]]:
    """The agent on one core, its children included; this process keeps the others."""
    own = os.sched_getaffinity(0)
    environ = {**os.environ, "EDGE_AGENT__MODEL__BUNDLE": f"{bundle}/"}
    with (config.parent / "log").open("wb") as log:
        os.sched_setaffinity(0, {cpu})
        try:
            command = [sys.executable, "-m", "edge_agent", "run", "--config", str(config)]
            agent = subprocess.Popen(command, stderr=log, env=environ)
        finally:
            os.sched_setaffinity(0, own)
    try:
        yield agent
    finally:
        agent.terminate()
        agent.wait(30)


def scrape(http_port: int) -> str:
    """The agent's metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/metrics", timeout=5) as response:
        return str(response.read().decode())


def samples(text: str, name: str) -> float:
    """A counter of the ledger, summed over sources, channels and reasons."""
    found = re.findall(rf"^edge_agent_samples_{name}(?:_total)?\{{.*?\}} (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


def stages(text: str) -> dict[str, float]:
    """Milliseconds that one run of each stage took in the mean."""
    name = "edge_agent_stage_duration_seconds"
    sums, counts = (
        dict(re.findall(rf'^{name}_{what}\{{stage="(\w+)"\}} (\S+)$', text, re.MULTILINE)) for what in ("sum", "count")
    )
    return {stage: round(1000 * float(sums[stage]) / float(counts[stage]), 2) for stage in sums if float(counts[stage])}
