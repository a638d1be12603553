"""The hub of a booted machine: made as docs/hub.md says, asked from the machine's own loopback."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.support.clips import SentClip
from tests.systemd.hub import at_terminal
from tests.systemd.machine import Machine

T = TypeVar("T")
PASSWORD = "a password of a test"
URL = "https://127.0.0.1:8400"
CONFIG = """
[server]
[server.tls]
cert_file = "/etc/training-hub/hub.crt"
key_file = "hub_tls_key"
"""
AS_SERVICE = "training-hub-as-service"
_JOB_S = 120.0


@dataclass(frozen=True)
class Hub:
    """The hub, running as a service.

    Attributes:
        machine: On which.
        key: Of the gateway `plant_1/gw_1`.
        authority: Who signed its certificate.
    """

    machine: Machine
    key: str
    authority: Path

    @property
    def pid(self) -> int:
        return int(self.machine.show("MainPID"))

    def ask(self, action: Callable[[httpx.Client], T], key: str | None = None) -> T:
        """Do something with a client, from the machine's loopback."""

        def do() -> T:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            trust = ssl.create_default_context(cafile=self.authority)
            with httpx.Client(base_url=URL, verify=trust, headers=headers, timeout=60) as client:
                return action(client)

        return self.machine.in_its_network(do)

    def ready(self) -> bool:
        try:
            return self.ask(lambda client: client.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    def send(self, clip: SentClip) -> int:
        """The status of the receipt."""
        return self.ask(clip.put, self.key).status_code

    def clips(self) -> set[str]:
        """What the first account sees, having logged in with its password."""

        def look(client: httpx.Client) -> set[str]:
            log_in(client)
            answer = client.get("/api/v1/clips")
            assert answer.status_code == 200, answer.text
            return {clip["id"] for clip in answer.json()["clips"]}

        return self.ask(look)


def set_up_hub(machine: Machine, certificates: Path, config: str = CONFIG) -> Hub:
    """The steps of docs/hub.md before the first start: settings, key, certificate, account, gateway."""
    machine.write("/etc/training-hub/hub.toml", config)
    machine.write("/etc/training-hub/hub.crt", (certificates / "broker.crt").read_text())
    machine.write("/etc/training-hub/hub_tls.key", (certificates / "broker.key").read_text(), 0o600)
    machine.run("systemctl", "daemon-reload")
    questions = [("New password: ", PASSWORD), ("The same again: ", PASSWORD)]
    shown = at_terminal(machine, questions, AS_SERVICE, "users", "add", "anna", "--role", "admin")
    assert PASSWORD not in shown
    key = machine.run(AS_SERVICE, "gateways", "add", "plant_1", "gw_1").stdout.strip()
    return Hub(machine, key, certificates / "ca.crt")


def log_in(client: httpx.Client) -> None:
    """As the first account, so that it may change something."""
    login = client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
    assert login.status_code == 200, login.text
    client.headers["X-CSRF-Token"] = login.json()["csrf_token"]
    client.headers["Origin"] = URL


def job_when_ended(client: httpx.Client, id_: str) -> dict[str, Any]:
    """A job, once it is neither queued nor running."""
    until_s = time.monotonic() + _JOB_S
    while (job := client.get(f"/api/v1/jobs/{id_}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < until_s, job
        time.sleep(0.2)
    return dict(job)
