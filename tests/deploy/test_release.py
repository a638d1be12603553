"""What a release is made of: the lock, the wheel, an install without a network, the bill of materials."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from deploy.release import lock, sbom, targets, wheel, wheelhouse
from tests.support.agent import ROOT
from tests.support.tones import tone

LOCKS = pytest.mark.parametrize("path", targets.EXTRAS, ids=lambda path: path.name)


@LOCKS
def test_a_lock_agrees_with_the_constraints(path: Path) -> None:
    assert lock.flaws(path, targets.EXTRAS[path]) == []
    assert path.read_text().startswith(lock.head(path))


BEHIND = {
    "another version": (targets.BASE_LOCK, ("numpy==", "numpy==0."), (), "numpy==0."),
    "base misses one": (targets.BASE_LOCK, ("numpy==", "other=="), (), "'numpy>="),
    "agent misses one of the base": (targets.LOCK, ("soxr==", "other=="), ("sync",), "'soxr>="),
    "agent misses one of the extra": (targets.LOCK, ("tuf==", "other=="), ("sync",), "'tuf>="),
    "base has one of the extra": (targets.LOCK, ("", ""), (), "tuf is in some.lock, and only an extra"),
}


@pytest.mark.parametrize(("path", "change", "extras", "said"), BEHIND.values(), ids=BEHIND)
def test_a_lock_that_is_behind_is_named(
    tmp_path: Path, path: Path, change: tuple[str, str], extras: tuple[str, ...], said: str
) -> None:
    behind = tmp_path / "some.lock"
    behind.write_text(path.read_text().replace(*(f"\n{each}" for each in change)))
    assert any(said in flaw for flaw in lock.flaws(behind, extras))


@LOCKS
def test_every_package_of_a_lock_has_a_hash_of_every_target(path: Path) -> None:
    packages = path.read_text().split("\n")
    named = [line for line in packages if "==" in line]
    assert named and all(line.endswith("\\") for line in named), "a package without a hash"


def test_what_both_locks_have_is_the_same() -> None:
    whole, base = (set(re.findall(r"^\S+==(?:.+\n)+?(?=\S|\Z)", path.read_text(), re.M)) for path in targets.EXTRAS)
    assert len(base) > 20 and base < whole


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
    base_mb = sbom.installed_mb(environment)
    assert base_mb < 220
    assert _told(python, tmp_path) == pytest.approx(base_mb, abs=0.2), "`edge-agent bench` counts otherwise"

    sound = tmp_path / "pump.wav"
    soundfile.write(sound, tone(440.0, 10.0, 16_000), 16_000)
    done = _run(python, tmp_path, "-m", "edge_agent", "replay", "--json", str(sound))
    assert done.returncode == 0, done.stderr
    event = json.loads(done.stdout.splitlines()[0])
    assert event["data"]["bundle"]["name"] == "default"

    (tmp_path / "agent.toml").write_text(f'[agent]\nstate_dir = "{tmp_path}"\n')
    key = ("-m", "edge_agent", "sync", "key", "--config", "agent.toml")
    refused = _run(python, tmp_path, *key)
    assert refused.returncode == 78 and "pip install 'edge-agent[sync]'" in refused.stderr
    sbom.add(python, targets.LOCK, house)
    done = _run(python, tmp_path, *key)
    assert done.returncode == 0 and len(done.stdout) > 40, done.stderr

    bill = tmp_path / "bill.json"
    sbom.write_sbom(python, bill)
    listed = {component["name"].lower().replace("_", "-") for component in json.loads(bill.read_text())["components"]}
    assert {name for name, _ in targets.pinned(targets.LOCK)} <= {name.replace(".", "-") for name in listed}


def _run(python: Path, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(directory)}
    return subprocess.run([python, *words], cwd=directory, env=environ, capture_output=True, text=True, check=False)


def _told(python: Path, directory: Path) -> float:
    """What `edge-agent bench` says of the base install there."""
    code = "from edge_agent.bench.installed import installed; print(installed().total_mb)"
    return float(_run(python, directory, "-c", code).stdout)


def test_a_wheelhouse_that_misses_a_wheel_is_refused(tmp_path: Path) -> None:
    wheel.build_wheel(tmp_path)
    with pytest.raises(SystemExit, match="No matching distribution"):
        wheelhouse.check(targets.TARGETS[0], tmp_path)


def test_the_paths_that_the_wheel_carries_are_there() -> None:
    for path in ("models/default/manifest.json", "models/speech/manifest.json", "config/agent.toml"):
        assert (ROOT / path).is_file()
