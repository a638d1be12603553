"""`[[source]]`: the inputs, and which machine each of their channels hears."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from edge_agent.capture.devices import refuse_moving_name
from edge_agent.capture.errors import SourceError
from edge_agent.capture.limits import MAX_CHANNELS
from edge_agent.capture.pulse_token import PREFIX, PulseToken
from edge_agent.capture.stream_url import StreamUrl
from edge_agent.settings.base import Identifier, InconsistencyError, Section
from edge_agent.settings.secret import SecretFile

AUTO = "auto"
"""A channel's `machine` when the sound itself is to say which one it is."""


class ChannelSection(Section):
    """One signal of a source."""

    index: int = Field(default=0, ge=0, le=MAX_CHANNELS - 1, description="Number of the channel in its source, from 0.")
    machine: Identifier = Field(description="Id of the machine it hears, or auto.", examples=["fan_1"])
    calibration_db: float | None = Field(
        default=None,
        ge=-60.0,
        le=240.0,
        description="Sound pressure level at full scale, in dB SPL. Unset: levels are in dBFS only.",
        examples=[120.0],
    )


class _SourceSection(Section):
    """What every kind of source has."""

    id: Identifier = Field(description="Name of the source, unique on this gateway.", examples=["mic_1"])
    rate_hz: int = Field(default=16000, ge=8000, le=192_000, description="Sample rate asked of the source, in Hz.")
    channel: tuple[ChannelSection, ...] = Field(
        strict=False, min_length=1, max_length=MAX_CHANNELS, description="The channels that are listened to."
    )


class MicrophoneSection(_SourceSection):
    """A microphone or audio interface."""

    kind: Literal["microphone"] = Field(description="A microphone or audio interface.", examples=["microphone"])
    device: str = Field(
        min_length=1,
        max_length=256,
        description="Device as `edge-agent devices` names it: usb:<port>, usbid:<vendor>:<product>:<serial>, "
        "hw:CARD=<id>,DEV=<n> or pulse:<source>[@<server>]; no index, no default.",
        examples=["usb:1-1.2"],
    )
    stall_s: float = Field(
        default=2.5, ge=0.5, le=60.0, description="Silence of the device, in seconds, after which it is opened again."
    )

    @field_validator("device")
    @classmethod
    def _outlives_a_reboot(cls, device: str) -> str:
        if device.strip().isdecimal():
            raise ValueError("a bare index changes at reboot; take a name that `edge-agent devices` lists")
        try:
            refuse_moving_name(device)
            if device.startswith(PREFIX):
                PulseToken.parse(device)
        except SourceError as error:
            raise ValueError(str(error)) from None
        return device


class StreamSection(_SourceSection):
    """A microphone somewhere on the network."""

    kind: Literal["stream"] = Field(description="A microphone on the network.", examples=["stream"])
    url: str = Field(
        min_length=1,
        max_length=2000,
        description="tcp://host:port for raw samples; rtsp://, rtsps:// or rtp:// by ffmpeg. Without a password.",
        examples=["rtsp://10.0.0.7/press"],
    )
    channels: int = Field(default=1, ge=1, le=MAX_CHANNELS, description="Channels that the stream has; none is mixed.")
    format: Literal["s16le", "s24le", "s32le", "f32le"] = Field(
        default="s16le", description="How samples lie in a tcp stream."
    )
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="What carries the sound of an rtsp stream.")
    username: str | None = Field(
        default=None, min_length=1, max_length=256, description="User name at the stream's server.", examples=["agent"]
    )
    password_file: SecretFile | None = Field(
        default=None,
        description="File that holds the password (mode 0600), or the name of a systemd credential.",
        examples=["/etc/edge-agent/stream_password"],
    )
    stall_s: float = Field(
        default=10.0, ge=1.0, le=300.0, description="Silence of the stream, in seconds, after which it is opened again."
    )

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        try:
            StreamUrl.parse(self.url)
        except SourceError as error:
            # not from a validator of the key: its message would show the value, and that a password
            raise InconsistencyError((("url",), str(error))) from None
        heard = max(channel.index for channel in self.channel)
        if heard >= self.channels:
            raise InconsistencyError((("channels",), f"must be above {heard}, the highest channel that is heard"))
        if (self.username is None) != (self.password_file is None):
            given, absent = (
                ("username", "password_file") if self.password_file is None else ("password_file", "username")
            )
            raise InconsistencyError(((given,), f"needs {absent} beside it"))
        if self.username is not None and not self.url.startswith("rtsp"):
            raise InconsistencyError((("username",), "has no effect but for rtsp:// and rtsps://"))
        return self


class ReplaySection(_SourceSection):
    """Recordings, played as if they were heard now."""

    kind: Literal["replay"] = Field(description="Recordings, played as if heard now.", examples=["replay"])
    paths: tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...] = Field(
        strict=False,
        min_length=1,
        max_length=10_000,
        description="WAV or FLAC files, directories, globs, @list.txt.",
        examples=[["recordings/fan_1"]],
    )
    loop: bool = Field(default=False, description="Start over at the end.")
    speed: float = Field(default=1.0, ge=0.1, le=10_000.0, description="Times real time.")


class SimulatedSection(_SourceSection):
    """A physical model of the machines: for trials without hardware, never evidence of detection quality."""

    kind: Literal["simulated"] = Field(description="A physical model of the machines.", examples=["simulated"])
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="The same seed gives the same sound.")
    machine_type: Identifier = Field(
        default="fan", description="Kind of machine that is simulated where its [[machine]] has the type generic."
    )
    fault: Identifier = Field(default="none", description="Fault that is simulated.")
    fault_after_s: float = Field(default=600.0, ge=0.0, le=31_536_000.0, description="Sound seconds before the fault.")
    severity: float = Field(default=0.5, ge=0.0, le=1.0, description="How far the fault has gone, 0 to 1.")
    speed: float = Field(default=1.0, ge=0.1, le=10_000.0, description="Times real time.")


SourceSection = Annotated[
    MicrophoneSection | ReplaySection | StreamSection | SimulatedSection, Field(discriminator="kind")
]
