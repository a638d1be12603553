"""The running agent's side: lets commands of this machine listen in on a channel, over a local socket."""

import contextlib
import logging
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from edge_agent.commissioning.address import connected, reachable
from edge_agent.commissioning.errors import ListenError
from edge_agent.commissioning.items import Ended, InAlarm, Item, SourceStatus
from edge_agent.commissioning.tap import Taps
from edge_agent.commissioning.wire import MAX_REQUEST_BYTES, Request, Welcome, to_bytes

_log = logging.getLogger(__name__)

MAX_LISTENERS = 4
_REQUEST_WITHIN_S = 5.0
_SEND_WITHIN_S = 10.0
_WAIT_S = 1.0
_CREDENTIALS = struct.Struct("3i")


class TapServer:
    """A local socket on which commands ask to hear what a machine's channel hears.

    Only root and the agent's own user are answered, four at a time. What they hear they hear besides the agent: nothing
    is taken from it, and one that reads too slowly is sent away.

    Args:
        path: The socket; its directory is made, for this user alone.
        taps: Where listeners are joined to channels.
        channel_of: The source and channel of a machine; raises `ListenError` where none hears it.
        status_of: How a source does.
        in_alarm: Whether a machine is in alarm: then nobody learns from it.
        bundle_sha256: The bundle in use.
        window_s: Length of a window, seconds.
    """

    def __init__(
        self,
        path: Path,
        taps: Taps,
        *,
        channel_of: Callable[[str], tuple[str, int]],
        status_of: Callable[[str], SourceStatus],
        in_alarm: Callable[[str], bool],
        bundle_sha256: str,
        window_s: float,
    ) -> None:
        self._path = path
        self.taps = taps
        self._channel_of = channel_of
        self._status_of = status_of
        self._in_alarm = in_alarm
        self._bundle_sha256 = bundle_sha256
        self._window_s = window_s
        self._places = threading.BoundedSemaphore(MAX_LISTENERS)
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None

    def uses(self, bundle_sha256: str) -> None:
        """The bundle in use, from now on; who listens in learns with the former one and has to begin again."""
        self._bundle_sha256 = bundle_sha256
        self.taps.end("another bundle came from the hub; begin again")

    def start(self) -> None:
        """Begin to answer. Where that cannot be, it is logged: the agent listens to its machines all the same."""
        try:
            self._socket = self._bind()
        except (OSError, ListenError) as error:
            _log.warning("commands cannot listen in: %s: %s", self._path, error)
            return
        threading.Thread(target=self._accept, args=(self._socket,), name="tap", daemon=True).start()

    def stop(self) -> None:
        """Send everybody away and answer no more."""
        self._stopping.set()
        self.taps.end("the agent stops")
        if self._socket is not None:
            with contextlib.suppress(OSError):  # already shut down by its last connection
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._path.unlink(missing_ok=True)

    def _bind(self) -> socket.socket:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        os.chmod(self._path.parent, 0o700)
        other = connected(self._path, _REQUEST_WITHIN_S)
        if other is not None:
            other.close()
            raise ListenError("another agent uses this state directory; give each one of its own")
        self._path.unlink(missing_ok=True)  # of an agent that was killed
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with reachable(self._path) as address:
                listening.bind(address)
            os.chmod(self._path, 0o600)
            listening.listen(MAX_LISTENERS)
        except OSError:
            listening.close()
            raise
        return listening

    def _accept(self, listening: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return  # closed by `stop`
            if not self._places.acquire(blocking=False):
                _refuse(connection, f"{MAX_LISTENERS} commands listen in already; wait until one has ended")
                continue
            threading.Thread(target=self._serve, args=(connection,), name="tap-listener", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._answer(connection)
        except OSError:
            pass  # it went away, which is how listeners leave
        finally:
            self._places.release()

    def _answer(self, connection: socket.socket) -> None:
        _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        if uid not in {0, os.geteuid()}:
            _refuse(connection, "only root and the agent's own user may listen in")
            return
        connection.settimeout(_REQUEST_WITHIN_S)
        try:
            request = Request.model_validate_json(_line(connection))
            source_id, channel = self._channel_of(request.machine)
        except ValidationError:
            _refuse(connection, "the request cannot be read; is the command of the same version as the agent?")
            return
        except ListenError as error:
            _refuse(connection, str(error))
            return
        if self._in_alarm(request.machine):
            _refuse(connection, str(InAlarm(request.machine)))
            return
        connection.settimeout(_SEND_WITHIN_S)
        tap = self.taps.open(source_id, channel)
        try:
            _log.info("a command listens in on machine %s", request.machine)
            welcome = Welcome(source=source_id, bundle_sha256=self._bundle_sha256, window_s=self._window_s)
            connection.sendall(to_bytes(welcome))
            item: Item | None = None
            while not isinstance(item, Ended):
                connection.sendall(to_bytes(self._status_of(source_id) if item is None else item))
                item = tap.take(_WAIT_S)
                if self._in_alarm(request.machine):
                    connection.sendall(to_bytes(InAlarm(request.machine)))
                    return
                if item is None and _left(connection):
                    return
            connection.sendall(to_bytes(item))
        finally:
            self.taps.close(tap)
            _log.info("it listens no more to machine %s", request.machine)


def _line(connection: socket.socket) -> bytes:
    """The first line that the other side sends, cut where it is too long for a request."""
    content = b""
    while not content.endswith(b"\n") and len(content) <= MAX_REQUEST_BYTES:
        part = connection.recv(MAX_REQUEST_BYTES)
        if not part:
            break
        content += part
    return content[:MAX_REQUEST_BYTES]


def _left(connection: socket.socket) -> bool:
    """Whether the other side hung up."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""


def _refuse(connection: socket.socket, reason: str) -> None:
    with contextlib.suppress(OSError):  # it may have left before it heard
        connection.sendall(to_bytes(Welcome(refused=reason)))
    connection.close()
