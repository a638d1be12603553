"""`[[source]]`: the inputs, and which machine each of their channels hears."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from edge_agent.config.base import Identifier, Section

AUTO = "auto"
"""A channel's `machine` when the sound itself is to say which one it is."""


class ChannelSection(Section):
    """One signal of a source."""

    index: int = Field(default=0, ge=0, le=31, description="Number of the channel in its source, from 0.")
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
        strict=False, min_length=1, max_length=32, description="The channels that are listened to."
    )


class MicrophoneSection(_SourceSection):
    """A microphone or audio interface."""

    kind: Literal["microphone"] = Field(description="A microphone or audio interface.", examples=["microphone"])
    device: str = Field(
        min_length=1,
        max_length=256,
        description="Device as `edge-agent devices` names it: USB path, vendor:product:serial, card id; no bare index.",
        examples=["usb:1-1.2"],
    )

    @field_validator("device")
    @classmethod
    def _outlives_a_reboot(cls, device: str) -> str:
        if device.strip().isdecimal():
            raise ValueError("a bare index changes at reboot; take a name that `edge-agent devices` lists")
        return device


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


SourceSection = Annotated[MicrophoneSection | ReplaySection | SimulatedSection, Field(discriminator="kind")]
