"""The gateway's own way in: a socket in the state directory for `edge-agent alarms`.

One connection, one line of JSON each way. Whoever may write to the socket may ask for anything: it belongs to the
agent's user and group, and nobody else can reach it.
"""

import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.agent.asking.commander import Asked
from edge_agent.delivery.commands import MAX_COMMAND_BYTES, CommandReply
from edge_agent.errors import CommandError

_log = logging.getLogger(__name__)
NAME = "control.sock"
_MAX_LINE_BYTES = 2 * MAX_COMMAND_BYTES
_TIMEOUT_S = 5.0
_BACKLOG = 8


class Request(BaseModel):
    """What is sent over the socket: `command` is the payload that MQTT would carry."""

    model_config = ConfigDict(defer_build=True, extra="forbid", strict=True)

    verb: Annotated[str, Field(max_length=64)]
    command: dict[str, Any]


class ControlSocket:
    """Serves commands, one at a time, on a thread of its own.

    Args:
        directory: The state directory.
        handle: Carries a command out.

    Raises:
        CommandError: The socket cannot be made.
    """

    def __init__(self, directory: Path, handle: Callable[[Asked], CommandReply]) -> None:
        self.path = directory / NAME
        self._handle = handle
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._bind(directory)
        except OSError as error:
            self._server.close()
            raise CommandError(f"{self.path} cannot be made ({error.strerror}); check agent.state_dir") from error
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and remove the socket."""
        self.path.unlink(missing_ok=True)
        try:
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the waiting accept, which close alone does not
        except OSError:
            pass  # it was not listening any more
        self._server.close()

    def _bind(self, directory: Path) -> None:
        self.path.unlink(missing_ok=True)  # of a former life: the outbox's lock keeps two lives apart
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        former = os.umask(0o117)
        try:
            # by the descriptor: a socket's own path has room for 107 bytes only
            self._server.bind(f"/proc/self/fd/{descriptor}/{NAME}")
        finally:
            os.umask(former)
            os.close(descriptor)
        self._server.listen(_BACKLOG)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.settimeout(_TIMEOUT_S)
                    reply = self._answer(connection)
                    connection.sendall(reply.model_dump_json().encode() + b"\n")
                except (OSError, ValueError) as error:
                    _log.warning("a request at %s was not answered: %s", self.path, str(error).splitlines()[0])

    def _answer(self, connection: socket.socket) -> CommandReply:
        line = _read_line(connection)
        request = Request.model_validate_json(line)
        payload = json.dumps(request.command).encode()
        return self._handle(Asked(request.verb, payload, "socket", caller=_peer(connection)))


def ask(directory: Path, request: Request) -> CommandReply:
    """Send a request to the agent of a state directory and return its answer.

    Raises:
        CommandError: No agent answers there, or this user may not ask it.
    """
    path = directory / NAME
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_S)
            try:
                connection.connect(f"/proc/self/fd/{descriptor}/{NAME}")
            finally:
                os.close(descriptor)
            connection.sendall(request.model_dump_json().encode() + b"\n")
            return CommandReply.model_validate_json(_read_line(connection))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise CommandError(f"no agent runs with state directory {directory}; start it, or give --state-dir") from error
    except PermissionError as error:
        raise CommandError(f"{path} belongs to the agent's user; run this as that user or as root") from error
    except OSError as error:
        raise CommandError(f"the agent at {path} does not answer ({error}); see its log") from error
    except ValueError as error:
        raise CommandError(f"the agent at {path} gave no answer that this version knows; see its log") from error


def _read_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) <= _MAX_LINE_BYTES:
        part = connection.recv(4096)
        if not part:
            break
        line += part
    if len(line) > _MAX_LINE_BYTES:
        raise ValueError(f"more than {_MAX_LINE_BYTES} bytes")
    return line


def _peer(connection: socket.socket) -> str:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return f"user {uid}"
