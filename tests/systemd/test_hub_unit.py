"""The units of hub and worker: systemd understands every line, and their sandbox is as tight as training allows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = ("training-hub.service", "training-hub-worker.service")
MOST_EXPOSED = 1.5


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must run these tests: systemd is not installed")
        pytest.skip("systemd is not installed")
    return found


@pytest.mark.parametrize("name", UNITS)
def test_every_line_is_understood(analyze: str, tmp_path: Path, name: str) -> None:
    unit = tmp_path / name
    program = tmp_path / "training-hub"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit.write_text((SYSTEMD / name).read_text().replace("/opt/training-hub/bin/training-hub", str(program)))
    done = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert name not in done.stderr, done.stderr  # it exits 0 on an unknown key, and says so


@pytest.mark.parametrize("name", UNITS)
def test_it_is_little_exposed(analyze: str, name: str) -> None:
    security = [analyze, "security", "--offline=true", "--no-pager", str(SYSTEMD / name)]
    done = subprocess.run(security, capture_output=True, text=True, check=False)
    level = re.search(rf"Overall exposure level for {name}: ([\d.]+)", done.stdout)
    assert level is not None, done.stdout + done.stderr
    assert float(level[1]) <= MOST_EXPOSED


def test_the_worker_lives_in_the_hubs_sandbox() -> None:
    """Line for line: what is tightened or loosened for one is for the other."""
    hub, worker = ((SYSTEMD / name).read_text() for name in UNITS)
    assert _after(hub, "# Sandbox") == _after(worker, "# Sandbox")


def _after(text: str, word: str) -> str:
    return text[text.index(word) :]
