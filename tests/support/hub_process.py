"""`training-hub serve` as a process of its own, as systemd starts it."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.agent import ROOT
from tests.support.broker import wait_until

_ANSWERS = re.compile(r"the hub answers at (https?://[^\s\"]+)")


class HubProcess:
    """One hub on SQLite and a folder; what it keeps outlives it.

    Args:
        directory: For its state, settings and log.
        settings: TOML beside what is set here: a free port, the state directory.
        environ: Variables of its own.
    """

    def __init__(self, directory: Path, settings: str = "", environ: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.state_dir = directory / "state"
        self.config = directory / "hub.toml"
        self.config.write_text(settings)
        self.log = directory / "hub.log"
        self.url = ""
        self._environ = {**os.environ, "TRAINING_HUB__SERVER__PORT": "0", **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 180.0) -> None:
        """Start, and wait until it answers."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command("serve")], stdout=log, stderr=log, cwd=ROOT, env=self._environ, stdin=subprocess.DEVNULL
            )

        def answers() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                pytest.fail(f"the hub ended with {self._process.returncode}:\n{self.log.read_text()[-3000:]}")
            found = _ANSWERS.search(self.log.read_bytes()[begin:].decode())
            self.url = found[1] if found else ""
            return bool(found)

        wait_until(answers, timeout_s, "the hub's answer")

    def client(self, key: str | None = None, tls: ssl.SSLContext | None = None) -> httpx.Client:
        """A client of it."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=tls or True)

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Another `training-hub` command on the same state."""
        done = subprocess.run(
            self._command(*words), capture_output=True, text=True, cwd=ROOT, env=self._environ, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done

    def gateway_key(self, site: str = "plant_1", name: str = "gw_1") -> str:
        """Make a gateway known; its key."""
        return self.command("gateways", "add", site, name).stdout.strip()

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float = 60.0) -> int:
        """End it as systemd does; returns its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout_s)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def end(self) -> None:
        """Gone, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _command(self, *words: str) -> list[str]:
        places = ["--config", str(self.config), "--state-dir", str(self.state_dir)]
        return [sys.executable, "-m", "training_hub.cli", *words, *places]


@contextmanager
def hub_process(directory: Path, settings: str = "", environ: Mapping[str, str] | None = None) -> Iterator[HubProcess]:
    """A running hub that is gone at the end of the block."""
    hub = HubProcess(directory, settings, environ)
    try:
        hub.start()
        yield hub
    finally:
        hub.end()
