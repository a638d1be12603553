from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.capture.devices import InputDevice, find_device, stable_token
from edge_agent.capture.source import SourceError


def device(token: str, name: str, index: int = 0) -> InputDevice:
    return InputDevice(token, name, "ALSA", channels=2, default_rate_hz=48_000, index=index)


DEVICES = (
    device("ALSA:hw:CARD=Left,DEV=0", "USB Audio Device: - (hw:1,0)", 3),
    device("ALSA:hw:CARD=Right,DEV=0", "USB Audio Device: - (hw:2,0)", 4),
    device("ALSA:press_mic", "press_mic", 9),
)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("ALSA:hw:CARD=Right,DEV=0", 4),
        ("hw:CARD=Left,DEV=0", 3),
        ("press_mic", 9),
        ("PRESS", 9),
        ("CARD=Right", 4),
    ],
)
def test_device_is_found_by_what_stays_the_same(wanted: str, index: int) -> None:
    assert find_device(wanted, DEVICES).index == index


@pytest.mark.parametrize("wanted", ["3", "hw:1,0", "plughw:2", " 0 ", ""])
def test_index_is_refused(wanted: str) -> None:
    with pytest.raises(SourceError, match="moves at a reboot"):
        find_device(wanted, DEVICES)


def test_name_of_two_devices_is_refused() -> None:
    with pytest.raises(SourceError, match=r"CARD=Left.*CARD=Right"):
        find_device("USB Audio", DEVICES)


def test_token_has_the_card_id_instead_of_its_number(tmp_path: Path) -> None:
    (tmp_path / "card1").mkdir()
    (tmp_path / "card1" / "id").write_text("PressMic\n")
    assert stable_token("ALSA", "USB Audio: - (hw:1,0)", tmp_path) == "ALSA:hw:CARD=PressMic,DEV=0"
    assert stable_token("ALSA", "USB Audio: - (hw:2,0)", tmp_path) == "ALSA:USB Audio: -"
    assert stable_token("ALSA", "press_mic", tmp_path) == "ALSA:press_mic"


def test_missing_portaudio_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_agent.capture import devices

    def no_library(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(devices.importlib, "import_module", no_library)
    with pytest.raises(SourceError, match="libportaudio2"):
        devices.list_devices()
