"""What a release is made of: the lock, the wheel, an install without a network, the bill of materials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from deploy.release import lock, sbom, targets, wheel, wheelhouse
from tests.support.agent import ROOT
from tests.support.tones import tone


def test_the_lock_agrees_with_the_constraints() -> None:
    assert lock.flaws() == []


def test_a_lock_that_is_behind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = tmp_path / "agent.lock"
    behind.write_text(targets.LOCK.read_text().replace("\nnumpy==", "\nnumpy==0."))
    monkeypatch.setattr(lock, "LOCK", behind)
    assert any(flaw.startswith("numpy==0.") for flaw in lock.flaws())


def test_every_package_of_the_lock_has_a_hash_of_every_target() -> None:
    packages = targets.LOCK.read_text().split("\n")
    named = [line for line in packages if "==" in line]
    assert named and all(line.endswith("\\") for line in named), "a package without a hash"


def test_the_same_tree_gives_the_same_wheel(tmp_path: Path) -> None:
    one = wheel.build_wheel(tmp_path / "one")
    before = os.umask(0o077)
    try:
        two = wheel.build_wheel(tmp_path / "two")
    finally:
        os.umask(before)
    assert wheel.sha256(one) == wheel.sha256(two)


@pytest.mark.end_to_end
@pytest.mark.xdist_group("release")
def test_a_gateway_without_a_network_installs_and_scores(tmp_path: Path) -> None:
    """From the wheelhouse alone, in an environment that has nothing else: a verdict on a recording."""
    target = targets.Target(os.uname().machine, f"{sys.version_info.major}.{sys.version_info.minor}")
    house = tmp_path / "wheelhouse"
    house.mkdir()
    wheel.build_wheel(house)
    try:
        wheelhouse.fetch(target, house)
    except SystemExit as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no package index here: {str(error)[-200:]}")
    wheelhouse.check(target, house)

    environment = tmp_path / "environment"
    python = sbom.install(environment, house)
    assert sbom.installed_mb(environment) < 220

    sound = tmp_path / "pump.wav"
    soundfile.write(sound, tone(440.0, 10.0, 16_000), 16_000)
    done = subprocess.run(
        [python, "-m", "edge_agent", "replay", "--json", str(sound)],
        cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    event = json.loads(done.stdout.splitlines()[0])
    assert event["data"]["bundle"]["name"] == "default"

    bill = tmp_path / "bill.json"
    sbom.write_sbom(python, bill)
    listed = {component["name"].lower().replace("_", "-") for component in json.loads(bill.read_text())["components"]}
    assert {name for name, _ in targets.pinned(targets.LOCK)} <= {name.replace(".", "-") for name in listed}


def test_a_wheelhouse_that_misses_a_wheel_is_refused(tmp_path: Path) -> None:
    wheel.build_wheel(tmp_path)
    with pytest.raises(SystemExit, match="No matching distribution"):
        wheelhouse.check(targets.TARGETS[0], tmp_path)


def test_the_paths_that_the_wheel_carries_are_there() -> None:
    for path in ("models/default/manifest.json", "models/speech/manifest.json", "config/agent.toml"):
        assert (ROOT / path).is_file()
