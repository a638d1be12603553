"""Where the agent's local socket lies."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 100  # of 108 bytes that the address of a unix socket may have


def socket_path(state_dir: Path) -> Path:
    """`<state>/run/agent.sock`; the directory is the agent's user's alone."""
    return state_dir / "run" / "agent.sock"


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """An address for `bind` and `connect`: the path itself, or a short way to it where it is too long for one."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def connected(path: Path, timeout_s: float) -> socket.socket | None:
    """A connection to the agent that listens there; None where none does.

    Raises:
        PermissionError: This user may not talk to it.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        with reachable(path) as address:
            connection.connect(address)
    except PermissionError:
        connection.close()
        raise
    except OSError:
        connection.close()
        return None
    return connection
