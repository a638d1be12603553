"""Names of PulseAudio and PipeWire sources in a configuration: `pulse:<source>[@<server>]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from edge_agent.capture.errors import SourceError

PREFIX: Final = "pulse:"
_SOURCE: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,200}")
_SERVER: Final = re.compile(r"[A-Za-z0-9_.:/+\[\]-]{1,200}")


@dataclass(frozen=True, slots=True)
class PulseToken:
    """A source and the server that has it.

    Attributes:
        source: The source's name, for example `alsa_input.usb-...analog-stereo`.
        server: `unix:/run/pulse/native`, `tcp:host:4713`; None for the user's own.
    """

    source: str
    server: str | None = None

    @classmethod
    def parse(cls, token: str) -> PulseToken:
        """Read a token.

        Raises:
            SourceError: It names no source, or one that is whatever the server chooses.

        Example:
            >>> PulseToken.parse("pulse:press.monitor@unix:/run/pulse/native")
            PulseToken(source='press.monitor', server='unix:/run/pulse/native')
        """
        source, at, server = token.removeprefix(PREFIX).partition("@")
        if not _SOURCE.fullmatch(source) or source.isdecimal() or (at and not _SERVER.fullmatch(server)):
            msg = (
                f"device {token!r} names no PulseAudio source; give pulse:<source> or pulse:<source>@<server> as "
                "`edge-agent devices` lists them, neither an index nor a default, which change"
            )
            raise SourceError(msg)
        return cls(source, server or None)

    def __str__(self) -> str:
        return f"{PREFIX}{self.source}" + (f"@{self.server}" if self.server else "")
