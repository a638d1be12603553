"""PortAudio's list of devices. Listing opens each device for a moment, and only a new process sees new devices."""

from __future__ import annotations

import importlib
from typing import Any

from edge_agent.capture.cards import SoundCards
from edge_agent.capture.devices import InputDevice, describe_alsa
from edge_agent.capture.errors import SourceError


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


def list_devices(cards: SoundCards | None = None) -> tuple[InputDevice, ...]:
    """Input devices as PortAudio saw them when it was loaded.

    Raises:
        SourceError: PortAudio is missing.
    """
    sounddevice = portaudio()
    host_apis = [str(api["name"]) for api in sounddevice.query_hostapis()]
    known = cards or SoundCards()
    return tuple(
        describe_alsa(
            host_apis[found["hostapi"]],
            str(found["name"]),
            known,
            channels=int(found["max_input_channels"]),
            default_rate_hz=round(found["default_samplerate"]),
            index=int(found["index"]),
        )
        for found in sounddevice.query_devices()
        if found["max_input_channels"] > 0
    )
