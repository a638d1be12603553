"""A command's side: hears what the running agent hears."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_agent.commissioning.address import connected
from edge_agent.commissioning.errors import ListenError
from edge_agent.commissioning.items import InAlarm, Item
from edge_agent.commissioning.wire import Request, Welcome, read

_CONNECT_WITHIN_S = 5.0
_SILENT_S = 30.0


class AgentChannel:
    """A machine's channel, as the running agent hears it; a context that hangs up.

    Args:
        connection: To the agent.
        machine_id: The machine.
        bundle_sha256: The bundle that this command uses: what another one's encoder says means something else.

    Raises:
        ListenError: The agent refuses, goes away, or uses another bundle.
    """

    def __init__(self, connection: socket.socket, machine_id: str, bundle_sha256: str) -> None:
        self._connection = connection
        self._connection.settimeout(_SILENT_S)
        self._stream = connection.makefile("rb")
        try:
            with contextlib.suppress(BrokenPipeError):  # an agent that is full refuses before it is asked: read why
                connection.sendall(Request(machine=machine_id).model_dump_json().encode() + b"\n")
            welcome = read(self._stream)
        except OSError as error:
            raise ListenError(f"the running agent does not answer ({error}); look at its log") from error
        if not isinstance(welcome, Welcome):
            raise ListenError("the running agent went away before it answered; look at its log")
        if welcome.refused:
            raise ListenError(f"the running agent refuses: {welcome.refused}")
        if welcome.bundle_sha256 != bundle_sha256:
            raise ListenError(
                f"the running agent uses another bundle ({welcome.bundle_sha256[:12]}) than this command "
                f"({bundle_sha256[:12]}): give its configuration with --config, or restart it"
            )

    @classmethod
    def find(cls, path: Path, machine_id: str, bundle_sha256: str) -> "AgentChannel | None":
        """The channel of the agent whose socket this is; None where none runs.

        Raises:
            ListenError: As the class; or this user may not talk to it.
        """
        try:
            connection = connected(path, _CONNECT_WITHIN_S)
        except PermissionError as error:
            raise ListenError(
                f"{path}: {error.strerror}: an agent of another user may run here; run the command as that user or root"
            ) from error
        return None if connection is None else cls(connection, machine_id, bundle_sha256)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()
        self._connection.close()

    def items(self) -> Iterator[Item | None]:
        """What the channel gives, until the agent or the source ends.

        Raises:
            ListenError: The agent goes away without a word, or sends nonsense; or the machine went into alarm.
        """
        while True:
            try:
                item = read(self._stream)
            except TimeoutError as error:
                raise ListenError(f"the running agent said nothing for {_SILENT_S:.0f} s; look at its log") from error
            except OSError as error:
                raise ListenError(f"the running agent went away ({error}); start again") from error
            if item is None:
                raise ListenError("the running agent went away; start again")
            if isinstance(item, InAlarm):
                raise ListenError(f"{item}; nothing was kept, begin again when it runs well")
            if isinstance(item, Welcome):
                raise ListenError("the running agent greets twice; is it another version?")
            yield item
