"""The hub's unit: systemd understands every line, and its sandbox is as tight as training allows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "training-hub.service"
MOST_EXPOSED = 1.5


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must run these tests: systemd is not installed")
        pytest.skip("systemd is not installed")
    return found


def test_every_line_is_understood(analyze: str, tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    program = tmp_path / "training-hub"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit.write_text(UNIT.read_text().replace("/opt/training-hub/bin/training-hub", str(program)))
    done = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert "training-hub.service" not in done.stderr, done.stderr  # it exits 0 on an unknown key, and says so


def test_it_is_little_exposed(analyze: str) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(UNIT)], capture_output=True, text=True, check=False
    )
    level = re.search(r"Overall exposure level for training-hub.service: ([\d.]+)", done.stdout)
    assert level is not None, done.stdout + done.stderr
    assert float(level[1]) <= MOST_EXPOSED
