"""The process that reads one device: `python -m edge_agent.capture.device_child`, started by `DeviceProcess`.

A frozen device hangs whoever reads it for ever, and a driver may crash; here that costs nobody else anything. The read
loop does nothing but copy into the ring. No numpy, to stay small.

Standard output carries a line of JSON for what the parent must know, after `MARK`; anything else there is noise of
drivers, which is kept for the message should the process die.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from edge_agent.capture.errors import SourceError
from edge_agent.capture.parent_death import die_with_parent
from edge_agent.capture.raw_stream import DeviceSettings, OpenStream, RawStream
from edge_agent.capture.ring import RawBlock, RingLayout, RingWriter

MARK: Final = "edge-agent: "


@dataclass(frozen=True, slots=True)
class ChildOrders:
    """What a child is told, as JSON in its one argument."""

    parent_pid: int
    device: str
    rate_hz: int
    channels: int
    ring_descriptor: int
    event_descriptor: int
    slots: int

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @property
    def settings(self) -> DeviceSettings:
        """What to open."""
        return DeviceSettings(self.device, self.rate_hz, self.channels)

    @property
    def layout(self) -> RingLayout:
        """The ring's layout, the same on both sides."""
        return RingLayout(self.channels, self.settings.block_samples, self.slots)


def say(**words: object) -> None:
    """Tell the parent."""
    os.write(1, f"\n{MARK}{json.dumps(words)}\n".encode())


def pump(
    stream: RawStream,
    ring: RingWriter,
    wake: Callable[[], None],
    block_samples: int,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
) -> None:
    """Copy from the device into the ring until the device fails. What finds no room is only counted."""
    first = 0
    while True:
        data, overflowed = stream.read(block_samples)
        ring.write(RawBlock(data, first, block_samples, monotonic_ns(), stream.available(), overflowed))
        first += block_samples
        wake()


def open_device(settings: DeviceSettings) -> RawStream:
    """Open what a token names; only what it needs is loaded."""
    if settings.device.startswith("pulse:"):
        from edge_agent.capture.pulse_stream import PulseStream  # noqa: PLC0415  keeps the process small

        return PulseStream(settings)
    from edge_agent.capture.portaudio_stream import PortAudioStream  # noqa: PLC0415

    return PortAudioStream(settings)


def main(words: list[str], open_stream: OpenStream = open_device) -> int:
    """Read the device that the orders name, until it fails or the parent kills this process."""
    orders = ChildOrders(**json.loads(words[0]))
    die_with_parent(orders.parent_pid)
    try:
        ring = RingWriter(orders.ring_descriptor, orders.layout)
        stream = open_stream(orders.settings)
        say(event="open")
        pump(stream, ring, lambda: os.eventfd_write(orders.event_descriptor, 1), orders.settings.block_samples)
    except SourceError as error:
        say(event="fault", message=str(error), reason=error.reason.value)
    except Exception as error:  # a defect here must not pass for an unplugged device
        say(event="fault", message=f"the reader of {orders.device!r} failed: {type(error).__name__}: {error}")
    # Drivers may hang in their tidying up, so there is none.
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
