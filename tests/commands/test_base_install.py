"""What `pip install .` brings is enough for all but the hub; what the hub needs is asked for in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.in_use import Slot
from edge_agent.sync.extra import MEND, PACKAGES
from edge_agent.sync.updates.shelf import Shelf
from tests.support.agent import BUNDLE, machine_sound, running, write_config, write_sound
from tests.support.base_install import BaseInstall, base_install
from tests.support.broker import free_port, wait_until
from tests.support.variants import archive_of, variant

__all__ = ["base_install"]

SAID = f"the line to the hub needs {', '.join(PACKAGES)}, not installed here: {MEND}"

HUB = '[hub]\nenabled = true\nurl = "http://127.0.0.1:9"\nkey_file = "{key}"\n'

IMPORTS = """
import importlib, pkgutil, edge_agent
for module in pkgutil.walk_packages(edge_agent.__path__, "edge_agent."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(error.name.partition(".")[0], module.name)
"""

SPEAKS_WITH_A_HUB = ("edge_agent.agent.hub.", "edge_agent.sync.", "edge_agent.commands.sync_actions")


def _config(directory: Path, body: str = "", *, port: int = 1) -> Path:
    pump = (
        "[window]\nwindow_s = 4.096\nhop_s = 4.096\n"
        '[[machine]]\nid = "pump_1"\ntype = "pump"\n[[source]]\nid = "sim"\nkind = "simulated"\n'
        'machine_type = "pump"\n[[source.channel]]\nmachine = "pump_1"\n'
    )
    state, config = directory / "state", directory / "agent.toml"
    return write_config(config, state_dir=state, mqtt_port=None, http_port=port, body=body + pump)


def _with_hub(directory: Path) -> Path:
    key = directory / "key"
    key.write_text("a-key-of-nobody\n")
    key.chmod(0o600)
    return _config(directory, HUB.format(key=key))


def test_only_what_speaks_with_a_hub_needs_more(base_install: BaseInstall) -> None:
    done = base_install.python_runs("-c", IMPORTS)
    assert done.status == 0, done.err
    lacking = [line.split() for line in done.out.splitlines()]
    assert any(name == "httpx" for name, _ in lacking), "these tests see the packages of the extra"
    assert {name for name, _ in lacking} <= {*PACKAGES, "rich"}
    assert [module for name, module in lacking if name != "rich" and not module.startswith(SPEAKS_WITH_A_HUB)] == []


def test_recordings_are_commissioned_and_replayed(base_install: BaseInstall, tmp_path: Path) -> None:
    for seed in range(6):
        write_sound(tmp_path / "normal" / f"{seed}.wav", machine_sound(10.0, seed=seed))
    words = ["--machine", "press", "--state-dir", tmp_path / "state"]
    base_install("commission", *words, "--from", tmp_path / "normal", status=0)
    (event, *_) = base_install("replay", "--json", *words, tmp_path / "normal", status=0).events
    assert event["data"]["state"] == "normal"
    assert "press" in base_install("profiles", "list", "--state-dir", tmp_path / "state", status=0).out
    assert "verified" in base_install("models", "--state-dir", tmp_path / "state", status=0).out


def test_the_agent_runs_with_its_page_and_with_a_bundle_that_an_update_left(
    base_install: BaseInstall, tmp_path: Path
) -> None:
    port = free_port()
    config = _config(tmp_path, port=port)
    archive = tmp_path / "new.tar"
    archive.write_bytes(archive_of(variant(tmp_path / "new", "7.4.0")))
    shelf = Shelf(tmp_path / "state")
    shelf.clear_incoming()
    new = shelf.unpack(archive)
    (shelf.incoming / "profiles").mkdir()
    shelf.place_profiles(shelf.incoming / "profiles", f"{'0' * 16}-1")
    shelf.switch(
        Slot(bundle=new.ref, profiles=f"{'0' * 16}-1"),
        load_bundle(BUNDLE, probe=False, self_test=False),
        rollout="01J00000000000000000000001",
        configured=f"{BUNDLE}/",
    )
    assert "7.4.0 verified" in base_install("check", "--config", config, status=0).out
    with running(config, port, tmp_path / "log", python=base_install.python) as agent:
        agent.wait_ready(90.0)
        assert new.sha256 in agent.get("/metrics")[1]
        assert agent.get("/")[0] == 200
        heard = 'edge_agent_windows_total{machine="pump_1",state="uncommissioned"} 1'
        wait_until(lambda: heard in agent.get("/metrics")[1], 60.0, "a window that was heard")
        assert agent.stop() == 0, (tmp_path / "log").read_text()


def test_a_hub_in_the_configuration_is_refused_in_one_line(base_install: BaseInstall, tmp_path: Path) -> None:
    config = _with_hub(tmp_path)
    line = f"{config}: hub.enabled: {SAID}\n"
    for command in ("run", "check"):
        done = base_install(command, "--config", config)
        assert (done.status, done.err) == (78, line), command
    found = json.loads(base_install("doctor", "--json", "--config", config, status=1).out)
    assert line.strip() in json.dumps(found, ensure_ascii=False)


ACTIONS = {
    "send": [], "status": ["status"], "retry": ["retry"], "key": ["key"], "receipt": ["receipt", "."],
    "export": ["export", "--to", "."],
}  # fmt: skip


@pytest.mark.parametrize("words", ACTIONS.values(), ids=ACTIONS)
def test_the_sync_and_the_sticks_say_the_same(base_install: BaseInstall, tmp_path: Path, words: list[str]) -> None:
    config = _config(tmp_path)
    done = base_install("sync", *words, "--config", config)
    assert (done.status, done.out, done.err) == (78, "", f"{config}: hub: {SAID}\n")


def test_help_of_the_sync_needs_nothing(base_install: BaseInstall) -> None:
    assert "export" in base_install("sync", "--help", status=0).out
