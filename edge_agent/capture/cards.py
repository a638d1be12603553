"""Sound cards as the kernel names them: by card id, USB port and USB identity. Reads files only, opens no device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc/asound")
SYS: Final = Path("/sys/class/sound")
_CAPTURE: Final = re.compile(r"(\d+)-(\d+):.*\bcapture \d+")
_USB_PORT: Final = re.compile(r"\d+-\d+(\.\d+)*")
_RATES: Final = re.compile(r"^\s*Rates: ([\d, ]+)$", re.MULTILINE)
_CHANNELS: Final = re.compile(r"^\s*Channels: (\d+)$", re.MULTILINE)
_MAX_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class SoundCard:
    """One card.

    Attributes:
        number: Its number now; moves at a reboot.
        card_id: ALSA's id; moves between equal cards at a reboot.
        usb_port: The USB port that it is plugged into, such as `1-1.2`; None for a card that is not on USB.
        usb_id: `vendor:product:serial`; None where it has no serial number, as it would name its like, too.
    """

    number: int
    card_id: str
    usb_port: str | None = None
    usb_id: str | None = None

    def tokens(self, device: int) -> tuple[str, ...]:
        """Names of one of the card's devices, the most stable first."""
        suffix = f",{device}" if device else ""
        names = [] if self.usb_port is None else [f"usb:{self.usb_port}{suffix}"]
        names += [] if self.usb_id is None else [f"usbid:{self.usb_id}{suffix}"]
        return (*names, f"ALSA:hw:CARD={self.card_id},DEV={device}")


@dataclass(frozen=True, slots=True)
class CaptureDevice:
    """A device of a card that records; rates and channels where the kernel lists them (USB), else empty and 0."""

    card: SoundCard
    device: int
    rates_hz: tuple[int, ...] = ()
    channels: int = 0


class SoundCards:
    """The cards of this computer at the moment of each call.

    Args:
        proc: Where ALSA describes them.
        sys: Where the kernel says what they are plugged into.
    """

    def __init__(self, proc: Path = PROC, sys: Path = SYS) -> None:
        self._proc = proc
        self._sys = sys

    def card(self, number: int) -> SoundCard | None:
        """One card by its number of the moment."""
        card_id = _line(self._proc / f"card{number}" / "id")
        if not card_id:
            return None
        interface = (self._sys / f"card{number}" / "device").resolve()
        port = interface.parent
        if not _USB_PORT.fullmatch(port.name):
            return SoundCard(number, card_id)
        parts = [_line(port / name) for name in ("idVendor", "idProduct", "serial")]
        return SoundCard(number, card_id, port.name, ":".join(parts) if all(parts) else None)

    def recorders(self) -> tuple[CaptureDevice, ...]:
        """Every device that records, also one that is in use."""
        found = []
        for match in map(_CAPTURE.match, _text(self._proc / "pcm").splitlines()):
            card = None if match is None else self.card(int(match[1]))
            if match is not None and card is not None:
                found.append(self._describe(card, int(match[2])))
        return tuple(found)

    def _describe(self, card: SoundCard, device: int) -> CaptureDevice:
        _, _, capture = _text(self._proc / f"card{card.number}" / f"stream{device}").partition("Capture:")
        rates = sorted({int(rate) for line in _RATES.findall(capture) for rate in line.split(",") if rate.strip()})
        channels = max(map(int, _CHANNELS.findall(capture)), default=0)
        return CaptureDevice(card, device, tuple(rates), channels)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _line(path: Path) -> str:
    return "".join(_text(path).split())
