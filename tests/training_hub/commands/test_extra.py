"""The extra `hub` brings all that hub and worker need: an image or a server has nothing else."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.agent import ROOT

PATIENCE_S = 120.0
_ONLY_THOSE = """
import sys
hidden = set(sys.argv.pop(1).split(","))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}, which the extra does not bring", name=name)
sys.meta_path.insert(0, Absent())
from training_hub.cli import main
sys.exit(main())
"""


def _hidden() -> set[str]:
    """Modules of distributions that `pip install 'edge-agent[hub]'` does not bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    waiting = [Requirement(word) for word in (*project["dependencies"], *extras["hub"])]
    brought: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        for extra in ("", *wanted.extras):
            if (name, extra) in brought:
                continue
            brought.add((name, extra))
            if name == project["name"]:
                waiting += [Requirement(word) for word in extras.get(extra, ())]
                continue
            try:
                needs = map(Requirement, metadata.requires(name) or ())
            except metadata.PackageNotFoundError:  # for another system or Python
                continue
            waiting += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    names = {name for name, _ in brought} | {project["name"]}
    return {
        module
        for module, distributions in metadata.packages_distributions().items()
        if not any(re.sub(r"[-_.]+", "-", one).lower() in names for one in distributions)
    }


def test_what_is_hidden_is_what_only_developers_and_training_have() -> None:
    hidden = _hidden()
    assert {"pytest", "mypy", "jsonschema"} <= hidden
    assert not hidden & {
        "fastapi",
        "httpx",
        "sqlalchemy",
        "starlette",
        "psycopg",
        "edge_agent",
        "training_hub",
        "numpy",
    }


def _when_ready(manager: socket.socket, process: subprocess.Popen[bytes], log: Path) -> str:
    """The line that it tells the service manager once it works."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and process.poll() is None:
        try:
            ready, _, status = manager.recv(4096).decode().partition("\nSTATUS=")
        except TimeoutError:
            continue
        if ready == "READY=1":
            return status
    pytest.fail(f"it does not work ({process.poll()}): {log.read_text()}")


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_it_starts_works_and_ends_with_that_extra_alone(command: str, tmp_path: Path) -> None:
    environ = {**os.environ, "TRAINING_HUB__SERVER__PORT": "0", "PYTHONPATH": str(ROOT)}
    environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
    words = [sys.executable, "-c", _ONLY_THOSE, ",".join(_hidden()), command, "--state-dir", str(tmp_path / "state")]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, (tmp_path / "log").open("wb") as log:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(0.5)
        process = subprocess.Popen(words, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            status = _when_ready(manager, process, tmp_path / "log")
            if command == "serve":
                for path in ("/readyz", "/sign-in", "/api/v1/openapi.json", "/metrics"):
                    with urllib.request.urlopen(status + path, timeout=PATIENCE_S) as answer:
                        assert answer.status == 200, path
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0, (tmp_path / "log").read_text()
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()
