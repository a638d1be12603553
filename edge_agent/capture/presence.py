"""Whether a device is there, told without opening it: a process per attempt would be dear while one is unplugged."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from edge_agent.capture.cards import SoundCards
from edge_agent.capture.devices import describe_busy, find_device
from edge_agent.capture.errors import SourceError
from edge_agent.capture.pulse_token import PREFIX, PulseToken

_CARD_TOKENS: Final = ("usb:", "usbid:", "alsa:hw:card=", "hw:card=")
_CONNECT_TIMEOUT_S: Final = 1.0


def check_present(token: str, cards: SoundCards) -> None:
    """Look whether a card, or the socket of a sound server, is there; other names are not judged.

    Raises:
        SourceError: It is not there.
    """
    if token.casefold().startswith(_CARD_TOKENS):
        find_device(token, [describe_busy(recorder) for recorder in cards.recorders()])
    elif token.startswith(PREFIX):
        server = PulseToken.parse(token).server
        if server is not None and server.startswith(("unix:", "/")):
            _check_socket(token, Path(server.removeprefix("unix:")))


def _check_socket(token: str, path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except OSError as error:
            msg = f"device {token!r} is not there: no sound server at {path} ({error.strerror or error})"
            raise SourceError(msg) from error
