"""Runs inside the service's sandbox, before the agent, and says what it could do, as one line of JSON."""

import contextlib
import ctypes
import json
import mmap
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import shared_memory
from pathlib import Path

MAY_NOT_WRITE = ("/etc/x", "/usr/x", "/opt/edge-agent/x", "/var/x", "/root/x", "/home/x", "/run/x", "/boot/x", "/sys/x")


def attempt(action: Callable[[], object]) -> str:
    try:
        action()
    except Exception as error:
        return type(error).__name__
    return "done"


def write(path: str) -> None:
    with open(path, "w") as file:
        file.write("x")
    os.unlink(path)


def share_memory() -> None:
    block = shared_memory.SharedMemory(create=True, size=4096)
    view = block.buf
    assert view is not None
    view[0] = 1
    del view
    block.close()
    block.unlink()


def share_anonymous_file() -> None:
    descriptor = os.memfd_create("ring")
    os.ftruncate(descriptor, 4096)
    with mmap.mmap(descriptor, 4096) as view:
        view[0] = 1


def run_child() -> None:
    child = [sys.executable, "-c", "import numpy, edge_agent; print('heard')"]
    assert subprocess.run(child, check=True, capture_output=True, text=True).stdout == "heard\n"


def make_code() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def mount() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "mount")


def raw_socket() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def netlink_socket() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()


def set_clock() -> None:
    time.clock_settime(time.CLOCK_REALTIME, time.time())


def main() -> None:
    state, credentials = os.environ["STATE_DIRECTORY"], os.environ["CREDENTIALS_DIRECTORY"]
    secret = ""
    with contextlib.suppress(OSError):
        secret = (Path(credentials) / "mqtt_password").read_text().strip()
    said = {
        "uid": os.getuid(),
        "written": [path for path in MAY_NOT_WRITE if attempt(partial(write, path)) == "done"],
        "state": attempt(lambda: write(f"{state}/x")),
        "secret": secret,
        "the secret's own file": attempt(lambda: Path("/etc/edge-agent/mqtt_password").read_text()),
        "a device of the group audio": attempt(lambda: Path("/var/audio-probe").read_text()),
        "shared memory": attempt(share_memory),
        "memfd": attempt(share_anonymous_file),
        "child": attempt(run_child),
        "writable code": attempt(make_code),
        "mount": attempt(mount),
        "packet socket": attempt(raw_socket),
        "netlink socket": attempt(netlink_socket),
        "set clock": attempt(set_clock),
        "chroot": attempt(lambda: os.chroot("/tmp")),
        "signal init": attempt(lambda: os.kill(1, 0)),
    }
    print("PROBE " + json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
