from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.observe.systemd import SystemdNotifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@edge-agent-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        receiver.settimeout(2)
        yield receiver, name


def test_every_state_reaches_the_manager(manager: tuple[socket.socket, str]) -> None:
    receiver, name = manager
    notifier = SystemdNotifier.from_environment(
        {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, pid=77
    )
    assert notifier.watchdog_s == 30.0
    assert notifier.ready("listening to\n3 machines")
    assert receiver.recv(4096) == b"READY=1\nSTATUS=listening to 3 machines"
    assert notifier.status("busy")
    assert receiver.recv(4096) == b"STATUS=busy"
    assert notifier.watchdog()
    assert receiver.recv(4096) == b"WATCHDOG=1"
    assert notifier.stopping()
    assert receiver.recv(4096) == b"STOPPING=1"
    assert notifier.reloading()
    assert receiver.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/nowhere/socket"}],
    ids=str,
)
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    notifier = SystemdNotifier.from_environment(environment, pid=1)
    assert notifier.ready() is False
    assert notifier.watchdog_s is None


@pytest.mark.parametrize("usec", ["0", "", "soon", "-5"])
def test_a_watchdog_that_makes_no_sense_is_none(usec: str) -> None:
    assert SystemdNotifier.from_environment({"WATCHDOG_USEC": usec}, pid=1).watchdog_s is None


def test_a_watchdog_for_another_process_is_not_ours() -> None:
    notifier = SystemdNotifier.from_environment({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "2"}, pid=1)
    assert notifier.watchdog_s is None
