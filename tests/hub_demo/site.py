"""The demo's plant: a broker, a hub, two gateways that listen to simulated machines."""

from __future__ import annotations

import json
import secrets
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from edge_agent.simulate import MachineSimulator, MachineType, fault_kind, random_spec
from tests.hub_demo.processes import Processes, Running, run
from tests.support.broker import Broker, free_port

RATE_HZ = 16_000
WINDOW_S, HOP_S = 10.0, 1.0
SITE = "demo"
PERSON = "anna"
_NORMAL_RECORDINGS = 6
_RECORDING_S = 30
_HEALTHY_S = 30
_FAULTY_S = 60
_MENDED_S = 60
_MENDED_TIMES = 40


@dataclass(frozen=True)
class Watched:
    """A gateway with its one machine."""

    gateway: str
    ring: str
    machine: str
    kind: MachineType
    fault: str
    seed: int


GATEWAYS = (
    Watched("gw_1", "canary", "pump_1", MachineType.PUMP, "cavitation", 1),
    Watched("gw_2", "main", "fan_1", MachineType.FAN, "imbalance", 2),
)


@dataclass
class Site:
    """Everything that runs.

    Attributes:
        directory: Of all its files; gone after the demo.
        processes: What runs.
    """

    directory: Path
    processes: Processes
    broker: Broker
    hub_port: int
    password: str
    hub: Running | None = None

    @classmethod
    def prepare(cls, directory: Path, processes: Processes, broker: Broker) -> Site:
        """Choose ports and a password."""
        return cls(directory, processes, broker, free_port(), secrets.token_urlsafe(16))

    @property
    def url(self) -> str:
        """Of the hub."""
        return f"http://127.0.0.1:{self.hub_port}"

    @property
    def hub_config(self) -> Path:
        """The hub's settings."""
        return self.directory / "hub.toml"

    def start_hub(self) -> None:
        """A hub as it comes: SQLite and a folder, the worker beside it; two gateways and a person are made known."""
        self.hub_config.write_text(
            f'[server]\nport = {self.hub_port}\nstate_dir = "{self.directory / "hub"}"\n'
            "[rollout]\nreport_s = 2.0\n"
            f'[[mqtt]]\nhost = "127.0.0.1"\nport = {self.broker.port}\nroot_topic = "edge_agent"\n'
        )
        self.secret("password", self.password)
        person = ("--role", "admin", "--password-file", str(self.directory / "password"))
        self.hub_command("users", "add", PERSON, *person)
        self.hub_command("keys", "add", PERSON, "--key-file", str(self.directory / "person_key"))
        for watched in GATEWAYS:
            key = self.directory / f"{watched.gateway}_key"
            self.hub_command("gateways", "add", SITE, watched.gateway, "--ring", watched.ring, "--key-file", str(key))
        self.hub = self.processes.start("hub", "training_hub.cli", "serve", "--config", str(self.hub_config))

    def hub_command(self, command: str, *words: str) -> str:
        """Run `training-hub` with the demo's settings."""
        return run("training_hub.cli", command, *words, "--config", str(self.hub_config))

    def secret(self, name: str, text: str) -> Path:
        """A file that only its owner reads."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def record(self, watched: Watched) -> Path:
        """The machine's normal sound to learn from, and what it does next: a minute's fault, mended for good."""
        spec = random_spec(watched.kind, np.random.default_rng(watched.seed), watched.machine)
        place = self.directory / watched.gateway / "sound"
        (place / "normal").mkdir(parents=True)
        for number in range(_NORMAL_RECORDINGS):
            samples = MachineSimulator(spec, 100 + number, RATE_HZ).render(_RECORDING_S * RATE_HZ)
            soundfile.write(place / "normal" / f"{number:02d}.flac", samples, RATE_HZ)
        fault = fault_kind(watched.kind, watched.fault)
        with soundfile.SoundFile(place / "life.flac", "w", RATE_HZ, 1) as life:
            life.write(MachineSimulator(spec, 7, RATE_HZ).render(_HEALTHY_S * RATE_HZ))
            life.write(MachineSimulator(spec, 8, RATE_HZ).render(_FAULTY_S * RATE_HZ, fault, 1.0))
            mended = MachineSimulator(spec, 9, RATE_HZ).render(_MENDED_S * RATE_HZ)
            for _ in range(_MENDED_TIMES):
                life.write(mended)
        return place

    def start_agent(self, watched: Watched) -> Running:
        """Commission the machine and listen to it, a window each second; the root of trust comes with the settings."""
        place = self.record(watched)
        state = self.directory / watched.gateway / "state"
        learn = ("--machine", watched.machine, "--type", watched.kind.value, "--state-dir", state)
        run("edge_agent", "commission", *learn, "--from", place / "normal")
        config = self.directory / watched.gateway / "agent.toml"
        config.write_text(
            f'[agent]\nsite = "{SITE}"\ngateway = "{watched.gateway}"\nstate_dir = "{state}"\n'
            f"[window]\nwindow_s = {WINDOW_S}\nhop_s = {HOP_S}\n"
            f'[mqtt]\nhost = "127.0.0.1"\nport = {self.broker.port}\n'
            f"[http]\nport = {free_port()}\n"
            f"[clips]\nmin_free_bytes = 0\nnovel_distance = 0.01\nnovel_per_day = 40\nuncertain_margin = 0.5\n"
            f'[hub]\nenabled = true\nurl = "{self.url}"\nkey_file = "{self.directory / f"{watched.gateway}_key"}"\n'
            f'report_s = 2.0\nroot_file = "{self.root}"\n'
            f'[[machine]]\nid = "{watched.machine}"\ntype = "{watched.kind.value}"\n'
            f'[[source]]\nid = "film"\nkind = "replay"\npaths = ["{place / "life.flac"}"]\n'
            f'[[source.channel]]\nmachine = "{watched.machine}"\n'
        )
        return self.processes.start(watched.gateway, "edge_agent", "run", "--config", str(config))

    @property
    def root(self) -> Path:
        """The root of trust that the gateways are given."""
        return self.directory / "keys" / "root.json"

    def found_trust(self) -> None:
        """Root key and approver's key, each on its person's own computer; the hub gets what they signed."""
        keys = self.directory / "keys"
        keys.mkdir()
        self.secret("keys/passphrase", secrets.token_urlsafe(16))
        approver = keys / "approver.pem"
        run("training_hub.cli", "publish", "key", approver, *self._passphrase)
        public = approver.with_name(approver.name + ".pub")
        self.publish("init", "--root-key", keys, "--approver", public, "--key", approver)

    def approve(self, bundle_id: str, *words: str) -> None:
        """The approver looks into a bundle and signs it."""
        self.publish("approve", bundle_id, "--key", self.directory / "keys" / "approver.pem", "--yes", *words)

    def publish(self, what: str, *words: str | Path) -> str:
        """`training-hub publish` against the demo's hub."""
        hub = ("--hub", self.url, "--api-key-file", self.directory / "person_key")
        passphrase = self._passphrase if what in ("init", "approve") else ()
        return run("training_hub.cli", "publish", what, *hub, *words, *passphrase)

    @property
    def _passphrase(self) -> tuple[str, str]:
        return ("--passphrase-file", str(self.directory / "keys" / "passphrase"))

    def ask(self, path: str, sent: object = None) -> Any:  # noqa: ANN401  # whatever the API answers
        """Ask the hub's API with the person's key; a POST where something is sent."""
        key = (self.directory / "person_key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        body = None if sent is None else json.dumps(sent).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def answers(self) -> bool:
        """Whether the hub is ready."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def forget(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.directory, ignore_errors=True)
