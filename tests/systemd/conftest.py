from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.systemd.hub import install_hub
from tests.systemd.machine import Machine, MachineError, why_not

REPOSITORY = Path(__file__).parents[2]


def _cannot(reason: str) -> None:
    """A machine without systemd's parts skips these tests; CI must have them."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must run these tests: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package, built as `make deb` does; EDGE_AGENT_DEB names one that is built already."""
    if (reason := why_not()) is not None:
        _cannot(reason)
    if given := os.environ.get("EDGE_AGENT_DEB"):
        return Path(given)
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "deploy.debian.build_deb", "--out", str(out)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.deb"))


@pytest.fixture(scope="session")
def machine(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted computer with the package installed; the service is not started."""
    with _booted(Machine(tmp_path_factory.mktemp("machine")), lambda machine: machine.install(package)) as machine:
        yield machine


@pytest.fixture(scope="module")
def hub_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted computer on which the hub stands in /opt/training-hub as docs/hub.md says; it is not started."""
    if (reason := why_not()) is not None:
        _cannot(reason)
    machine = Machine(tmp_path_factory.mktemp("hub"), "training-hub", "https://127.0.0.1:8400")
    with _booted(machine, install_hub):
        yield machine


@contextmanager
def _booted(machine: Machine, prepare: Callable[[Machine], None]) -> Iterator[Machine]:
    try:
        try:
            machine.make()
            prepare(machine)
            machine.boot()
        except MachineError as error:
            _cannot(str(error))
        yield machine
    finally:
        machine.stop()
