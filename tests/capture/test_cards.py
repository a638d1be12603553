from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.capture.cards import SoundCards
from edge_agent.capture.devices import InputDevice, describe_alsa, describe_busy, find_device
from edge_agent.capture.presence import check_present
from edge_agent.capture.source import SourceError

STREAM0 = """USB Audio Device at usb-0000:00:14.0-1.2, full speed : USB Audio
Playback:
  Interface 1
    Channels: 8
    Rates: 11025
Capture:
  Status: Stop
  Interface 2
    Altset 1
    Format: S16_LE
    Channels: 2
    Rates: 16000, 48000
  Interface 2
    Altset 2
    Format: S24_3LE
    Channels: 2
    Rates: 48000, 96000
"""


class Computer:
    """The files by which a kernel tells of its sound cards."""

    def __init__(self, root: Path) -> None:
        self.proc, self.sys = root / "proc", root / "sys/class/sound"
        self.usb = root / "sys/devices/pci0000:00/0000:00:14.0/usb1"
        self.proc.mkdir(parents=True)
        self.sys.mkdir(parents=True)
        self.cards = SoundCards(self.proc, self.sys)
        self.lines: list[str] = []

    def add(self, number: int, card_id: str, port: str | None = None, serial: str | None = None) -> None:
        directory = self.proc / f"card{number}"
        directory.mkdir()
        (directory / "id").write_text(f"{card_id}\n")
        self.lines.append(f"{number:02}-00: USB Audio : USB Audio : playback 1 : capture 1\n")
        (self.proc / "pcm").write_text("".join(self.lines))
        card = self.sys / f"card{number}"
        card.mkdir()
        if port is None:
            return
        (directory / "stream0").write_text(STREAM0)
        interface = self.usb / port / f"{port}:1.0"
        interface.mkdir(parents=True)
        (card / "device").symlink_to(interface)
        (self.usb / port / "idVendor").write_text("0d8c\n")
        (self.usb / port / "idProduct").write_text("0014\n")
        if serial is not None:
            (self.usb / port / "serial").write_text(f"{serial}\n")

    def remove(self, number: int) -> None:
        self.lines = [line for line in self.lines if not line.startswith(f"{number:02}-")]
        (self.proc / "pcm").write_text("".join(self.lines))
        (self.proc / f"card{number}" / "id").unlink()

    def devices(self) -> list[InputDevice]:
        return [describe_busy(recorder) for recorder in self.cards.recorders()]


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_usb_card_is_named_by_port_serial_and_id(computer: Computer) -> None:
    computer.add(1, "Device", "1-1.2", "A17")
    card = computer.cards.card(1)
    assert card is not None
    assert card.tokens(0) == ("usb:1-1.2", "usbid:0d8c:0014:A17", "ALSA:hw:CARD=Device,DEV=0")
    assert card.tokens(1) == ("usb:1-1.2,1", "usbid:0d8c:0014:A17,1", "ALSA:hw:CARD=Device,DEV=1")


def test_card_without_serial_has_no_name_that_its_like_would_answer_to(computer: Computer) -> None:
    computer.add(1, "Device", "1-1.2")
    card = computer.cards.card(1)
    assert card is not None
    assert card.tokens(0) == ("usb:1-1.2", "ALSA:hw:CARD=Device,DEV=0")


def test_card_that_is_not_on_usb_is_named_by_its_id(computer: Computer) -> None:
    computer.add(0, "PCH")
    assert [device.token for device in computer.devices()] == ["ALSA:hw:CARD=PCH,DEV=0"]


def test_rates_and_channels_of_recording_are_read(computer: Computer) -> None:
    computer.add(1, "Device", "1-1.2")
    (recorder,) = computer.cards.recorders()
    assert recorder.rates_hz == (16_000, 48_000, 96_000)
    assert recorder.channels == 2


def test_port_finds_the_same_microphone_after_a_reboot_changed_every_number(tmp_path: Path) -> None:
    before, after = Computer(tmp_path / "a"), Computer(tmp_path / "b")
    before.add(1, "Device", "1-1.2")
    before.add(2, "Device_1", "1-1.3")
    after.add(1, "Device", "1-1.3")
    after.add(2, "Device_1", "1-1.2")
    assert find_device("usb:1-1.2", before.devices()).aliases == ("ALSA:hw:CARD=Device,DEV=0",)
    assert find_device("usb:1-1.2", after.devices()).aliases == ("ALSA:hw:CARD=Device_1,DEV=0",)


def test_unplugged_card_is_absent_while_its_like_is_there(computer: Computer) -> None:
    computer.add(1, "Device", "1-1.2")
    computer.add(2, "Device_1", "1-1.3")
    check_present("usb:1-1.2", computer.cards)
    computer.remove(1)
    for token in ("usb:1-1.2", "ALSA:hw:CARD=Device,DEV=0", "usbid:0d8c:0014:A17"):
        with pytest.raises(SourceError, match="is not there"):
            check_present(token, computer.cards)
    check_present("usb:1-1.3", computer.cards)


def test_absent_sound_server_is_told_without_starting_a_reader(computer: Computer, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no sound server"):
        check_present(f"pulse:press@unix:{tmp_path}/none", computer.cards)


def test_portaudio_name_becomes_the_token_of_its_card(computer: Computer) -> None:
    computer.add(1, "Device", "1-1.2")
    named = describe_alsa("ALSA", "USB Audio: - (hw:1,0)", computer.cards, channels=2, default_rate_hz=48_000, index=5)
    assert (named.token, named.index) == ("usb:1-1.2", 5)
    plain = describe_alsa("ALSA", "press_mic", computer.cards, channels=2, default_rate_hz=48_000, index=6)
    assert plain.token == "ALSA:press_mic"
