"""Names input devices by what stays the same over a reboot; an index never does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.capture.cards import CaptureDevice, SoundCards
from edge_agent.capture.errors import SourceError

_HW: Final = re.compile(r"\s*\(hw:(?P<card>\d+),(?P<device>\d+)\)$")
_INDEX: Final = re.compile(r"(?:(?:plug)?hw:)?\d+(?:,\d+)*", re.IGNORECASE)
_CHOSEN_BY_SYSTEM: Final = frozenset({"default", "sysdefault", "pulse", "pipewire", "jack"})


@dataclass(frozen=True)
class InputDevice:
    """One device that can record.

    Attributes:
        token: The most stable name to put into the configuration: `usb:<port>`, `pulse:<source>`, or
            `ALSA:hw:CARD=<card id>,DEV=<n>`.
        name: Name as the sound system gives it; may hold an index, so it may change at a reboot.
        host_api: `ALSA` or `PulseAudio`.
        channels: Most channels it records; 0 where that is not known.
        default_rate_hz: The rate it prefers; 0 where that is not known.
        index: PortAudio's index in this process; never to be kept. None for what PortAudio does not list.
        aliases: Other names that stay.
        rates_hz: The rates it takes, where the kernel lists them.
    """

    token: str
    name: str
    host_api: str
    channels: int
    default_rate_hz: int
    index: int | None = None
    aliases: tuple[str, ...] = ()
    rates_hz: tuple[int, ...] = ()

    def answers_to(self, wanted: str) -> bool:
        """Whether this is the device that a configuration means; case does not matter, but every letter does."""
        text = wanted.strip().casefold()
        names = {name.casefold() for name in (self.token, *self.aliases)}
        return text in names or f"alsa:{text}" in names


def describe_alsa(
    host_api: str, name: str, cards: SoundCards, *, channels: int, default_rate_hz: int, index: int
) -> InputDevice:
    """A device of PortAudio's list, with the names that its card gives it.

    Args:
        host_api: PortAudio's host API.
        name: PortAudio's name of the device, for example `USB Audio Device: - (hw:1,0)`.
        cards: The cards of this computer.
        channels: Most channels.
        default_rate_hz: Preferred rate.
        index: PortAudio's index.
    """
    match = _HW.search(name)
    card = None if match is None else cards.card(int(match["card"]))
    if match is None or card is None:
        return InputDevice(f"{host_api}:{name}", name, host_api, channels, default_rate_hz, index)
    token, *others = card.tokens(int(match["device"]))
    return InputDevice(token, name, host_api, channels, default_rate_hz, index, tuple(others))


def describe_busy(recorder: CaptureDevice) -> InputDevice:
    """A device that the kernel knows and PortAudio does not list, as somebody records from it."""
    token, *others = recorder.card.tokens(recorder.device)
    preferred = max(recorder.rates_hz, default=0)
    return InputDevice(
        token, "in use", "ALSA", recorder.channels, preferred, None, tuple(others), rates_hz=recorder.rates_hz
    )


def find_device(wanted: str, devices: Sequence[InputDevice]) -> InputDevice:
    """The one device that answers to a configured name.

    A part of a name is not enough: while the device that was meant is unplugged, it would find another.

    Raises:
        SourceError: The name is an index or a default, or no device or more than one answers to it.
    """
    known = ", ".join(device.token for device in devices) or "none"
    refuse_moving_name(wanted, known)
    found = [device for device in devices if device.answers_to(wanted)]
    if not found:
        msg = f"device {wanted!r} is not there; plug it in or correct its name (there are: {known})"
        raise SourceError(msg)
    if len(found) > 1:
        several = ", ".join(f"{device.token} ({device.name})" for device in found)
        msg = f"device {wanted!r} could be any of {several}; name it by its USB port"
        raise SourceError(msg)
    return found[0]


def refuse_moving_name(wanted: str, known: str = "see `edge-agent devices`") -> None:
    """Refuse what names another device after a reboot or a click.

    Raises:
        SourceError: It is an index, or whatever the sound system chooses.
    """
    name = wanted.strip().casefold().removeprefix("alsa:")
    if not name or _INDEX.fullmatch(name):
        msg = f"device {wanted!r} is an index, which moves at a reboot; name it by its token (there are: {known})"
        raise SourceError(msg)
    if name in _CHOSEN_BY_SYSTEM:
        msg = f"device {wanted!r} is whatever the sound system chooses; name a microphone (there are: {known})"
        raise SourceError(msg)
