"""Lists the sources of a PulseAudio or PipeWire server, by `pactl`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Final

from edge_agent.capture.devices import InputDevice
from edge_agent.capture.errors import SourceError
from edge_agent.capture.pulse_token import PulseToken

_TIMEOUT_S: Final = 3.0
_SPEC: Final = re.compile(r"\S+ (\d+)ch (\d+)Hz")


def list_pulse_sources(server: str | None = None) -> tuple[InputDevice, ...]:
    """Sources of one server, the user's own if None; none where there is no server of the user's own.

    Raises:
        SourceError: The server that was named does not answer, or `pactl` is missing for it.
    """
    program = shutil.which("pactl")
    if program is None:
        if server is None:
            return ()
        raise SourceError("listing PulseAudio sources needs pactl; install pulseaudio-utils (Debian)")
    command = [program, "--format=json", *([] if server is None else [f"--server={server}"]), "list", "sources"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=True)
        listed = json.loads(done.stdout.decode("utf-8", "replace"))
    except (subprocess.SubprocessError, ValueError) as error:
        if server is None:
            return ()
        msg = f"the sound server {server!r} does not answer pactl ({error}); is it running?"
        raise SourceError(msg) from error
    return tuple(filter(None, (_describe(source, server) for source in listed)))


def _describe(source: object, server: str | None) -> InputDevice | None:
    """What `pactl` says of a source; None where its name cannot be a token."""
    if not isinstance(source, dict):
        return None
    spec = _SPEC.search(str(source.get("sample_specification", "")))
    try:
        token = PulseToken.parse(str(PulseToken(str(source.get("name")), server)))
    except SourceError:
        return None
    return InputDevice(
        token=str(token),
        name=str(source.get("description", "")),
        host_api="PulseAudio",
        channels=int(spec[1]) if spec else 0,
        default_rate_hz=int(spec[2]) if spec else 0,
    )
