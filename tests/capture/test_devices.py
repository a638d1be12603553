from __future__ import annotations

import pytest

from edge_agent.capture import portaudio
from edge_agent.capture.devices import InputDevice, find_device
from edge_agent.capture.pulse_token import PulseToken
from edge_agent.capture.source import SourceError


def device(token: str, name: str, index: int, *aliases: str) -> InputDevice:
    return InputDevice(token, name, "ALSA", 2, 48_000, index, aliases)


DEVICES = (
    device("usb:1-1.2", "USB Audio Device: - (hw:1,0)", 3, "usbid:0d8c:0014:A17", "ALSA:hw:CARD=Left,DEV=0"),
    device("usb:1-1.3", "USB Audio Device: - (hw:2,0)", 4, "usbid:0d8c:0014:A17", "ALSA:hw:CARD=Right,DEV=0"),
    device("ALSA:press_mic", "press_mic", 9),
)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("usb:1-1.3", 4),
        ("ALSA:hw:CARD=Right,DEV=0", 4),
        ("hw:CARD=Left,DEV=0", 3),
        ("press_mic", 9),
        ("Press_Mic", 9),
    ],
)
def test_device_is_found_by_what_stays_the_same(wanted: str, index: int) -> None:
    assert find_device(wanted, DEVICES).index == index


@pytest.mark.parametrize("wanted", ["3", "hw:1,0", "plughw:2", " 0 ", "", "ALSA:3"])
def test_index_is_refused(wanted: str) -> None:
    with pytest.raises(SourceError, match="moves at a reboot"):
        find_device(wanted, DEVICES)


@pytest.mark.parametrize("wanted", ["default", "ALSA:pulse", "pipewire"])
def test_whatever_the_system_chooses_is_refused(wanted: str) -> None:
    with pytest.raises(SourceError, match="sound system chooses"):
        find_device(wanted, DEVICES)


@pytest.mark.parametrize("wanted", ["press", "usb:1-1", "USB Audio Device", "CARD=Left", "usb:1-1.20"])
def test_part_of_a_name_finds_nothing(wanted: str) -> None:
    with pytest.raises(SourceError, match=r"is not there.*usb:1-1\.2"):
        find_device(wanted, DEVICES)


def test_serial_number_of_two_devices_is_refused() -> None:
    with pytest.raises(SourceError, match=r"usb:1-1\.2.*usb:1-1\.3"):
        find_device("usbid:0d8c:0014:A17", DEVICES)


@pytest.mark.parametrize("source", ["alsa_input.usb-046d_C922-02.analog-stereo", "press.monitor"])
@pytest.mark.parametrize("server", [None, "unix:/run/pulse/native", "tcp:10.0.0.4:4713"])
def test_pulse_token_survives_its_text(source: str, server: str | None) -> None:
    token = PulseToken(source, server)
    assert PulseToken.parse(str(token)) == token


@pytest.mark.parametrize(
    "token", ["pulse:", "pulse:3", "pulse:@DEFAULT_SOURCE@", "pulse:a b", "pulse:a@", "pulse:a@b c"]
)
def test_pulse_source_must_be_named(token: str) -> None:
    with pytest.raises(SourceError, match="neither an index nor a default"):
        PulseToken.parse(token)


def test_missing_portaudio_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(portaudio.importlib, "import_module", no_library)
    with pytest.raises(SourceError, match="libportaudio2"):
        portaudio.list_devices()
