"""`edge-agent devices`."""

import argparse
import sys
import threading
from collections.abc import Sequence

from edge_agent.capture.cards import SoundCards
from edge_agent.capture.devices import InputDevice, describe_busy, find_device, refuse_moving_name
from edge_agent.capture.level_meter import render, watch_levels
from edge_agent.capture.limits import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from edge_agent.capture.microphone import MicrophoneSource
from edge_agent.capture.portaudio import list_devices
from edge_agent.capture.pulse_sources import list_pulse_sources
from edge_agent.capture.pulse_token import PREFIX, PulseToken
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.source import SourceError
from edge_agent.errors import CommandError

_METER_EVERY_S = 0.25
_CLAIMED_CHANNELS = 32
"""What ALSA's plugins, PulseAudio's among them, claim of a microphone that has one or two."""

_FALLBACK_RATE_HZ = 16_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--meter", nargs="?", const="", metavar="TOKEN", help="show live levels of a device, or of all of them"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the meter runs (default 10)")
    parser.add_argument(
        "--pulse-server", action="append", default=[], metavar="SERVER", help="list a PulseAudio server, too"
    )


def run(arguments: argparse.Namespace) -> int:
    """List every input with the token to paste into `source.device`, or show levels."""
    if arguments.meter is not None and not 0 < arguments.seconds <= 86_400:
        raise CommandError(f"--seconds must be above 0 and at most 86400, not {arguments.seconds:g}")
    devices = _all_devices(arguments.pulse_server)
    if arguments.meter is not None:
        return _meter([_named(arguments.meter, devices)] if arguments.meter else devices, arguments.seconds)
    if not devices:
        print("no input device; is a microphone plugged in, and is the user in the group audio?", file=sys.stderr)
        return 1
    _print_table(devices)
    return 0


def _all_devices(pulse_servers: Sequence[str]) -> list[InputDevice]:
    """What PortAudio lists, what it does not as somebody records from it, and the sources of sound servers."""
    cards = SoundCards()
    devices = [device for device in list_devices(cards) if not _is_moving(device)]
    tokens = {device.token for device in devices}
    devices += [busy for busy in map(describe_busy, cards.recorders()) if busy.token not in tokens]
    for server in (None, *pulse_servers):
        devices += list_pulse_sources(server)
    return devices


def _is_moving(device: InputDevice) -> bool:
    try:
        refuse_moving_name(device.token)
    except SourceError:
        return True
    return False


def _print_table(devices: Sequence[InputDevice]) -> None:
    rows = [("device", "channels", "rate_hz", "name")]
    for device in devices:
        rates = ",".join(map(str, device.rates_hz)) or (str(device.default_rate_hz) if device.default_rate_hz else "?")
        rows.append((device.token, str(device.channels or "?"), rates, device.name))
        rows += [(f"  = {alias}", "", "", "") for alias in device.aliases]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _named(token: str, devices: Sequence[InputDevice]) -> InputDevice:
    if token.startswith(PREFIX):
        server = PulseToken.parse(token).server
        devices = list_pulse_sources(server)
    return find_device(token, devices)


def _meter(devices: Sequence[InputDevice], seconds: float) -> int:
    """Levels of every device at once, each on a thread of its own; 1 where one of them fails."""
    failed = threading.Event()
    alone = len(devices) == 1
    threads = [
        threading.Thread(target=_show, args=(device, seconds, failed, alone and sys.stdout.isatty()), daemon=True)
        for device in devices
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return int(failed.is_set() or not threads)


def _show(device: InputDevice, seconds: float, failed: threading.Event, redraw: bool) -> None:
    rate_hz = min(MAX_RATE_HZ, max(MIN_RATE_HZ, device.default_rate_hz or _FALLBACK_RATE_HZ))
    channels = device.channels if 0 < device.channels <= MAX_CHANNELS and device.channels != _CLAIMED_CHANNELS else 1
    try:
        source = MicrophoneSource("meter", DeviceSettings(device.token, rate_hz, channels))
        for levels in watch_levels(source, _METER_EVERY_S if redraw else 1.0, seconds):
            line = f"{device.token}  {render(levels)}"
            print(f"\r{line}\x1b[K" if redraw else line, end="" if redraw else "\n", flush=True)
    except SourceError as error:
        failed.set()
        print(error, file=sys.stderr)
    if redraw:
        print()
