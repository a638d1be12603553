"""Microphones without hardware: null sinks of a private PulseAudio, named through ALSA's pulse plugin.

What is played into a sink is heard by the microphone of the same name, which PortAudio really records. Needs Debian's
pulseaudio, pulseaudio-utils, libasound2-plugins and libportaudio2.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

PLUGIN_GLOB = "/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so"
PROGRAMS = ("pulseaudio", "pacat")


class PulseServer:
    """A PulseAudio server of its own, with one null sink per microphone.

    Args:
        directory: Where its socket and configuration live; short, as socket paths are limited.
        microphones: Names, each a sink and an ALSA device.
        rate_hz: Rate of the sinks.
        channels: Channels of each sink.
        sample_format: Format of the sinks, in PulseAudio's words.
    """

    def __init__(
        self,
        directory: Path,
        microphones: tuple[str, ...],
        rate_hz: int = 16_000,
        channels: int = 1,
        sample_format: str = "s16le",
    ) -> None:
        self.directory = directory
        self.microphones = microphones
        self.rate_hz = rate_hz
        self.channels = channels
        self.socket = directory / "pulse.sock"
        self.alsa_config = directory / "asound.conf"
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = {**os.environ, "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)}
        script = [f"load-module module-native-protocol-unix auth-anonymous=1 socket={self.socket}"]
        config = ["</usr/share/alsa/alsa.conf>"]
        for name in microphones:
            script.append(
                f"load-module module-null-sink sink_name={name} rate={rate_hz} channels={channels} "
                f"format={sample_format} sink_properties=device.description={name}"
            )
            config.append(
                f'pcm.{name} {{ type pulse server "unix:{self.socket}" device "{name}.monitor" '
                f'hint {{ show on description "{name}" }} }}'
            )
        (directory / "server.pa").write_text("\n".join(script) + "\n")
        self.alsa_config.write_text("\n".join(config) + "\n")

    def start(self) -> None:
        """Start the server and wait until its socket answers."""
        self.socket.unlink(missing_ok=True)
        command = ["pulseaudio", "-n", "-F", str(self.directory / "server.pa"), "--exit-idle-time=-1"]
        command += ["--daemonize=no", "--log-target=stderr", "--use-pid-file=no", "--realtime=no", "--high-priority=no"]
        with (self.directory / "server.log").open("wb") as log:
            self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while subprocess.run(
            self._client("pactl", "info"), check=False, env=self._environment, capture_output=True
        ).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PulseAudio did not start: " + (self.directory / "server.log").read_text()[-2000:])
            time.sleep(0.02)

    def token(self, microphone: str) -> str:
        """What the agent calls a microphone of this server."""
        return f"pulse:{microphone}.monitor@unix:{self.socket}"

    def pactl(self, *arguments: str) -> str:
        """Tell the server something; returns what it answers."""
        command = self._client("pactl", *arguments)
        return subprocess.run(command, check=True, env=self._environment, capture_output=True, text=True).stdout

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal: SIGKILL unplugs every microphone, SIGSTOP freezes them."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        """End the server, frozen or not."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @contextmanager
    def playing(self, microphone: str, samples: npt.NDArray[np.float32], *, latency_ms: int = 50) -> Iterator[None]:
        """Play samples, `[n]` or `[n, channels]`, at the server's rate into a sink; ends with the block.

        A sink hands on what it hears in pieces as small as its player's latency asks for; real devices do not.
        """
        sound = self.directory / f"{microphone}.raw"
        sound.write_bytes(samples.astype("<f4").tobytes())
        command = self._client("pacat", "--playback", f"--device={microphone}", "--format=float32le")
        command += [
            f"--rate={self.rate_hz}",
            f"--channels={self.channels}",
            f"--latency-msec={latency_ms}",
            "--raw",
            str(sound),
        ]
        with subprocess.Popen(command, env=self._environment) as player:
            try:
                yield
            finally:
                player.kill()

    def _client(self, program: str, *arguments: str) -> list[str]:
        return [program, f"--server=unix:{self.socket}", *arguments]


def missing_parts() -> str:
    """What this machine lacks for simulated microphones; empty if nothing."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if not any(Path("/").glob(PLUGIN_GLOB.removeprefix("/"))):
        missing.append("the ALSA plugin of PulseAudio (libasound2-plugins)")
    try:
        import sounddevice  # noqa: F401 (only whether it loads)
    except (ImportError, OSError) as error:
        missing.append(f"PortAudio ({error})")
    return ", ".join(missing)


@pytest.fixture(scope="session")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    """A running server with the microphones mic0 and mic1, which this process's PortAudio lists."""
    missing = missing_parts()
    if missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test real capture, but lacks: {missing}")
        pytest.skip(f"no simulated microphones here, for want of: {missing}")
    server = PulseServer(tmp_path_factory.mktemp("pa"), ("mic0", "mic1"))
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALSA_CONFIG_PATH", str(server.alsa_config))
        try:
            yield server
        finally:
            server.stop()
