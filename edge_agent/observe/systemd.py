"""Tells systemd how the agent does: sd_notify(3) without its library."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SystemdNotifier:
    """Sends state to the service manager's socket; without one every call does nothing.

    Calls return whether the message was sent. A failed one is not raised: it is the manager's watchdog that notices
    that it hears nothing.

    Attributes:
        address: The socket's path, `@...` for an abstract one; None outside systemd.
        watchdog_s: The manager kills the agent after this without `watchdog()`; None when it does not watch.
    """

    address: str | None = None
    watchdog_s: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, pid: int) -> SystemdNotifier:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; a watchdog set for another process is not ours."""
        address = environment.get("NOTIFY_SOCKET", "")
        watchdog_usec = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        return cls(
            address=address if address.startswith(("/", "@")) else None,
            watchdog_s=int(watchdog_usec) / 1e6 if ours and watchdog_usec.isdigit() and int(watchdog_usec) else None,
        )

    def ready(self, status: str = "") -> bool:
        """The agent is up (`Type=notify`)."""
        return self._send("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self._send(*_status(text))

    def watchdog(self) -> bool:
        """The agent is alive; call it only when it is, at least twice per `watchdog_s`."""
        return self._send("WATCHDOG=1")

    def stopping(self, status: str = "") -> bool:
        """The agent is going down in order."""
        return self._send("STOPPING=1", *_status(status))

    def reloading(self) -> bool:
        """The configuration is read anew (`Type=notify-reload`); `ready` ends it."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def _send(self, *lines: str) -> bool:
        if self.address is None or not lines:
            return False
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(0.5)
                sender.connect(os.fsencode(address))
                sender.sendall("\n".join(lines).encode())
        except OSError:
            return False
        return True


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={' '.join(text.split())}",) if text.strip() else ()
