"""RTSP and RTP streams, by an `ffmpeg` child that decodes them to float samples."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from edge_agent.capture.errors import SourceError
from edge_agent.capture.sample_format import SampleFormat
from edge_agent.capture.stream_url import StreamUrl

_CHUNK_BYTES: Final = 65_536
_MAX_NOISE_BYTES: Final = 2_000
_REAP_TIMEOUT_S: Final = 2.0
_HEADER: Final = struct.Struct(">4s5I")
_AU_MAGIC: Final = b".snd"
_AU_FLOAT: Final = 6
_PROTOCOLS: Final = "pipe,rtsp,rtp,srtp,udp,tcp,tls,crypto"


@dataclass(frozen=True, slots=True)
class FfmpegSettings:
    """What ffmpeg is asked for.

    Attributes:
        url: The stream.
        rate_hz: Rate to convert to.
        channels: Channels that the stream must have: none is mixed, none made up.
        transport: How RTSP carries the sound, `tcp` or `udp`.
        timeout_s: Silence of the network after which ffmpeg gives up.
        credentials: User and password; None where the stream needs none.
    """

    url: StreamUrl
    rate_hz: int
    channels: int
    transport: str = "tcp"
    timeout_s: float = 10.0
    credentials: tuple[str, str] | None = None

    def script(self) -> str:
        """The list of inputs that ffmpeg reads from its standard input: other users can read a command line."""
        url = self.url.text if self.credentials is None else self.url.with_credentials(*self.credentials)
        lines = ["ffconcat version 1.0", f"file '{url}'", f"option timeout {round(self.timeout_s * 1e6)}"]
        if self.url.scheme.startswith("rtsp"):
            lines += [f"option rtsp_transport {self.transport}", "option allowed_media_types audio"]
        return "\n".join(lines) + "\n"

    def command(self, program: str) -> list[str]:
        """The command; AU is the plainest format that says how many channels it holds."""
        return [
            program, "-hide_banner", "-loglevel", "error", "-fflags", "nobuffer", "-protocol_whitelist", _PROTOCOLS,
            "-f", "concat", "-safe", "0", "-i", "pipe:0", "-vn", "-sn", "-dn",
            "-ar", str(self.rate_hz), "-c:a", "pcm_f32be", "-flush_packets", "1", "-f", "au", "pipe:1",
        ]  # fmt: skip


class FfmpegInput:
    """A running ffmpeg. The kernel kills it when the thread that started it ends.

    Args:
        settings: What to hear.
        program: The ffmpeg to run.

    Raises:
        SourceError: ffmpeg is not installed.
    """

    sample_format = SampleFormat.F32BE

    def __init__(self, settings: FfmpegSettings, program: str = "ffmpeg") -> None:
        self._settings = settings
        found = shutil.which(program)
        if found is None:
            raise SourceError(f"stream {settings.url.text!r} needs ffmpeg; install it (Debian: ffmpeg)")
        launcher = [sys.executable, "-m", "edge_agent.capture.parent_death", str(os.getpid())]
        self._process = subprocess.Popen(
            [*launcher, *settings.command(found)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._output, self._errors = self._process.stdout, self._process.stderr
        self._noise = b""
        self._header: bytes | None = b""
        try:
            self._process.stdin.write(settings.script().encode())
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it is dead already: its output ends, and says why

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Its output, and what it complains of."""
        return self._output.fileno(), self._errors.fileno()

    def receive(self, descriptor: int) -> bytes:
        """What has come; see `StreamInput`."""
        data = os.read(descriptor, _CHUNK_BYTES)
        if descriptor == self._errors.fileno():
            self._noise = (self._noise + data)[-_MAX_NOISE_BYTES:]
            if data:
                return b""
        if not data:
            raise self._end()
        if self._header is None:
            return data
        return self._after_header(self._header + data)

    def close(self) -> None:
        """Kill it and free everything."""
        self._process.kill()
        try:
            self._process.wait(_REAP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pass  # it is dying in the kernel and holds up no one
        self._output.close()
        self._errors.close()

    def _after_header(self, start: bytes) -> bytes:
        self._header = start
        if len(start) < _HEADER.size:
            return b""
        magic, offset, _, encoding, rate_hz, channels = _HEADER.unpack_from(start)
        if magic != _AU_MAGIC or encoding != _AU_FLOAT or not _HEADER.size <= offset <= _CHUNK_BYTES:
            raise SourceError(f"stream {self._settings.url.text!r}: ffmpeg answers in an unknown format")
        if (rate_hz, channels) != (self._settings.rate_hz, self._settings.channels):
            raise SourceError(
                f"stream {self._settings.url.text!r} has {channels} channels, not {self._settings.channels}; "
                "correct `channels`, as none is mixed"
            )
        if len(start) < offset:
            return b""
        self._header = None
        return start[offset:]

    def _end(self) -> SourceError:
        """Why it ended; ffmpeg repeats the address, so the secrets are taken out."""
        try:
            self._process.wait(_REAP_TIMEOUT_S)
            os.set_blocking(self._errors.fileno(), False)
            self._noise = (self._noise + (self._errors.read() or b""))[-_MAX_NOISE_BYTES:]
        except (subprocess.TimeoutExpired, ValueError):
            pass
        lines = [line for line in self._noise.decode("utf-8", "replace").splitlines() if line.strip()]
        noise = lines[0] if lines else "no more data"
        if self._settings.credentials is not None:
            noise = noise.replace(self._settings.url.with_credentials(*self._settings.credentials), "URL")
            for secret in self._settings.credentials:
                noise = noise.replace(secret, "***")
        return SourceError(f"stream {self._settings.url.text!r} ended ({noise[-300:]}); is the sender running?")
