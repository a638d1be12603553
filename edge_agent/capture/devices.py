"""Names input devices by what stays the same over a reboot; an index never does."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_agent.capture.source import SourceError

ASOUND: Final = Path("/proc/asound")
_HW: Final = re.compile(r"\s*\(hw:(?P<card>\d+),(?P<device>\d+)\)$")
_INDEX: Final = re.compile(r"(?:(?:plug)?hw:)?\d+(?:,\d+)*", re.IGNORECASE)


@dataclass(frozen=True)
class InputDevice:
    """One device that can record.

    Attributes:
        token: Stable name to put into the configuration: `<host API>:<name>`, for an ALSA card
            `ALSA:hw:CARD=<card id>,DEV=<n>`.
        name: Name as PortAudio gives it; holds an index for ALSA cards, so it may change at a reboot.
        host_api: PortAudio's host API, `ALSA` on a gateway.
        channels: Most channels it records.
        default_rate_hz: The rate it prefers.
        index: PortAudio's index, valid until the next `rescan_devices`; never to be kept.
    """

    token: str
    name: str
    host_api: str
    channels: int
    default_rate_hz: int
    index: int


def portaudio() -> Any:  # noqa: ANN401 (sounddevice has no types)
    """The `sounddevice` module, loaded on first use: loading it lists all devices.

    Raises:
        SourceError: It or PortAudio is missing.
    """
    try:
        return importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:
        msg = f"microphones need PortAudio ({error}); install libportaudio2 (Debian) and the package sounddevice"
        raise SourceError(msg) from error
    except Exception as error:
        # sounddevice initialises PortAudio on import and raises its own error, which cannot be imported then.
        msg = f"PortAudio cannot start ({error}); check the sound system (aplay -l, ALSA_CONFIG_PATH)"
        raise SourceError(msg) from error


def list_devices(asound: Path = ASOUND) -> tuple[InputDevice, ...]:
    """Input devices as PortAudio saw them when it was loaded or last told to look again.

    Raises:
        SourceError: PortAudio is missing.
    """
    sounddevice = portaudio()
    host_apis = [str(api["name"]) for api in sounddevice.query_hostapis()]
    return tuple(
        InputDevice(
            token=stable_token(host_apis[found["hostapi"]], str(found["name"]), asound),
            name=str(found["name"]),
            host_api=host_apis[found["hostapi"]],
            channels=int(found["max_input_channels"]),
            default_rate_hz=round(found["default_samplerate"]),
            index=int(found["index"]),
        )
        for found in sounddevice.query_devices()
        if found["max_input_channels"] > 0
    )


def rescan_devices() -> None:
    """Make PortAudio look for devices again. It closes every open stream of this process.

    Raises:
        SourceError: PortAudio is missing or cannot start again.
    """
    sounddevice = portaudio()
    try:
        # The only way: PortAudio lists devices once per initialisation, and sounddevice has no public call for it.
        sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        msg = f"PortAudio cannot start again ({error}); check the sound system"
        raise SourceError(msg) from error


def stable_token(host_api: str, name: str, asound: Path = ASOUND) -> str:
    """What to call a device in a configuration: its card's id instead of its card's number.

    Args:
        host_api: PortAudio's host API.
        name: PortAudio's name of the device, for example `USB Audio Device: - (hw:1,0)`.
        asound: Where the kernel names the cards.
    """
    match = _HW.search(name)
    if match is None:
        return f"{host_api}:{name}"
    try:
        card_id = (asound / f"card{match['card']}" / "id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return f"{host_api}:{name[: match.start()]}"
    return f"{host_api}:hw:CARD={card_id},DEV={match['device']}"


def find_device(wanted: str, devices: Sequence[InputDevice]) -> InputDevice:
    """The one device that a configured name means: its token (with or without host API), its name, or a part of these.

    Raises:
        SourceError: The name is an index, or no device or more than one answers to it.
    """
    known = ", ".join(device.token for device in devices) or "none"
    if not wanted.strip() or _INDEX.fullmatch(wanted.strip()):
        msg = f"device {wanted!r} is an index, which moves at a reboot; name it by its token (there are: {known})"
        raise SourceError(msg)
    text = wanted.strip().casefold()
    exact = [
        d for d in devices if text in {d.token.casefold(), d.token.partition(":")[2].casefold(), d.name.casefold()}
    ]
    found = exact or [d for d in devices if text in d.token.casefold() or text in _HW.sub("", d.name).casefold()]
    if not found:
        msg = f"device {wanted!r} is not there; plug it in or correct its name (there are: {known})"
        raise SourceError(msg)
    if len(found) > 1:
        several = ", ".join(f"{device.token} ({device.name})" for device in found)
        msg = f"device {wanted!r} could be any of {several}; give the whole token"
        raise SourceError(msg)
    return found[0]
