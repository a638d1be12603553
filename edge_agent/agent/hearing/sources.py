"""From the configuration of a source to the source.

What a kind of source needs is imported as one is opened: an agent that listens to a microphone has no use for ffmpeg,
for recordings, or for the physics of simulated machines.
"""

import os
import time
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.capture.source import Source, SourceError
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import MicrophoneSection, ReplaySection, SimulatedSection, SourceSection, StreamSection
from edge_agent.settings.secret import SecretFileError

if TYPE_CHECKING:
    from edge_agent.capture.simulated import SimulatedChannel
    from edge_agent.capture.stream_input import StreamInput

_NO_FAULT = "none"
_ANY_TYPE = "generic"


def source_opener(
    section: SourceSection, settings: AgentSettings, environ: Mapping[str, str] = os.environ
) -> Callable[[], Source]:
    """What opens a configured source, each time anew; it raises `SourceError` where that fails.

    Args:
        section: The source.
        settings: All settings.
        environ: The environment, for where secrets are.
    """
    if isinstance(section, MicrophoneSection):
        return lambda: _microphone(section)
    if isinstance(section, StreamSection):
        return lambda: _network(section, environ)
    if isinstance(section, ReplaySection):
        return lambda: _replay(section)
    return lambda: _simulated(section, settings)


def is_live(section: SourceSection) -> bool:
    """Whether time goes by while the source is away; a recording or a simulation waits."""
    return isinstance(section, MicrophoneSection | StreamSection)


def stamps_by_arrival(section: SourceSection) -> bool:
    """Whether a sample's time is when it arrives; at another pace than real time it is its count."""
    return isinstance(section, MicrophoneSection | StreamSection) or section.speed == 1.0


def timely_machines(settings: AgentSettings) -> frozenset[str]:
    """Machines that are heard at the pace of time alone: how late their events are means something."""
    return frozenset(
        channel.machine for section in settings.source if stamps_by_arrival(section) for channel in section.channel
    )


def _microphone(section: MicrophoneSection) -> Source:
    from edge_agent.capture.microphone import MicrophoneSource  # noqa: PLC0415
    from edge_agent.capture.raw_stream import DeviceSettings  # noqa: PLC0415

    channels = 1 + max(channel.index for channel in section.channel)
    return MicrophoneSource(
        section.id, DeviceSettings(section.device, section.rate_hz, channels), stall_s=section.stall_s
    )


def _network(section: StreamSection, environ: Mapping[str, str]) -> Source:
    from edge_agent.capture.network import NetworkSource  # noqa: PLC0415

    return NetworkSource(
        section.id,
        rate_hz=section.rate_hz,
        channels=section.channels,
        open_input=lambda: _stream_input(section, environ),
        stall_s=section.stall_s,
    )


def _stream_input(section: StreamSection, environ: Mapping[str, str]) -> "StreamInput":
    from edge_agent.capture.ffmpeg_input import FfmpegInput, FfmpegSettings  # noqa: PLC0415
    from edge_agent.capture.sample_format import SampleFormat  # noqa: PLC0415
    from edge_agent.capture.stream_input import TcpInput  # noqa: PLC0415
    from edge_agent.capture.stream_url import StreamUrl  # noqa: PLC0415

    url = StreamUrl.parse(section.url)
    if url.scheme == "tcp":
        return TcpInput(url, SampleFormat(section.format))
    credentials: tuple[str, str] | None = None
    if section.username is not None and section.password_file is not None:
        try:
            credentials = (section.username, section.password_file.read(environ).get_secret_value())
        except SecretFileError as error:
            raise SourceError(f"source {section.id!r}: {error}") from error
    return FfmpegInput(
        FfmpegSettings(
            url,
            rate_hz=section.rate_hz,
            channels=section.channels,
            transport=section.transport,
            timeout_s=section.stall_s,
            credentials=credentials,
        )
    )


def _replay(section: ReplaySection) -> Source:
    from edge_agent.capture.files import expand  # noqa: PLC0415
    from edge_agent.capture.paced import PacedSource  # noqa: PLC0415
    from edge_agent.capture.replay import StreamSource  # noqa: PLC0415

    stream = StreamSource(
        expand(section.paths), channels="all", block_samples=section.rate_hz // 10, source_id=section.id
    )
    heard = max(channel.index for channel in section.channel)
    if heard >= stream.channels:
        stream.close()
        raise SourceError(
            f"source {section.id!r}: its recordings have {stream.channels} channels, channel {heard} is heard"
        )
    return PacedSource(stream, speed=section.speed, loop=section.loop)


def _simulated(section: SimulatedSection, settings: AgentSettings) -> Source:
    from edge_agent.capture.simulated import SimulatedSource  # noqa: PLC0415
    from edge_agent.simulate import SimulationError  # noqa: PLC0415

    heard = {channel.index: channel.machine for channel in section.channel}
    speed = section.speed
    try:
        return SimulatedSource(
            section.id,
            [
                _simulated_channel(section, settings, heard.get(index, f"{section.id}_{index}"))
                for index in range(1 + max(heard))
            ],
            rate_hz=section.rate_hz,
            clock=lambda: time.monotonic() * speed,
            sleep=lambda seconds: time.sleep(seconds / speed),
        )
    except SimulationError as error:
        raise SourceError(f"source {section.id!r}: {error}") from error


def _simulated_channel(section: SimulatedSection, settings: AgentSettings, machine_id: str) -> "SimulatedChannel":
    from edge_agent.capture.simulated import ScheduledFault, SimulatedChannel  # noqa: PLC0415
    from edge_agent.simulate import MachineType, fault_kind, random_spec  # noqa: PLC0415

    known = {machine.id: machine.type for machine in settings.machine}
    kind = known.get(machine_id, _ANY_TYPE)
    kind = section.machine_type if kind == _ANY_TYPE else kind
    try:
        machine_type = MachineType(kind)
    except ValueError as error:
        names = ", ".join(each.value for each in MachineType)
        raise SourceError(f"source {section.id!r}: {kind!r} cannot be simulated; these can: {names}") from error
    seed = zlib.crc32(machine_id.encode()) ^ section.seed
    spec = random_spec(machine_type, np.random.default_rng(seed), machine_id)
    faults: tuple[ScheduledFault, ...] = ()
    if section.fault != _NO_FAULT:
        fault = fault_kind(machine_type, section.fault)
        faults = (ScheduledFault(fault, section.fault_after_s, severity=section.severity),)
    return SimulatedChannel(spec, seed, faults)
