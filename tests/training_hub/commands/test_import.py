"""A stick by the two command lines, as people use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent import cli as agent_cli
from tests.support.agent import write_config
from tests.sync.gateway import Gateway
from training_hub.cli import main as hub_cli


def _agent(*words: object) -> int:
    return agent_cli.main([str(word) for word in words])


def test_a_stick_travels_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = Gateway(tmp_path, "https://hub.example", transport="stick")
    kept = gateway.keep(2)
    gateway.publish(3)
    hub_dir, stick = tmp_path / "hub", tmp_path / "stick"

    def hub(*words: object) -> int:
        return hub_cli([str(word) for word in (*words, "--state-dir", hub_dir)])

    assert hub("gateways", "add", "plant", "gw") == 0
    assert hub("import", "--show-key") == 0
    receipt_key = capsys.readouterr().out.strip().splitlines()[-1]
    hub_section = f'[hub]\nenabled = true\ntransport = "stick"\nreceipt_key = "{receipt_key}"\n'
    body = f'[clips]\nspeech = "off"\nmin_free_bytes = 0\n{hub_section}'
    config = write_config(tmp_path / "agent.toml", state_dir=gateway.state_dir, mqtt_port=None, http_port=1, body=body)

    assert _agent("sync", "key", "--config", config) == 0
    public = capsys.readouterr().out.strip()
    assert _agent("sync", "export", "--to", stick, "--leave-free", 0, "--config", config) == 0
    assert hub("import", stick) == 1
    assert "set-export-key plant gw" in capsys.readouterr().err
    assert hub("gateways", "set-export-key", "plant", "gw", "no key") == 1
    assert hub("gateways", "set-export-key", "plant", "gw", public) == 0
    assert hub("import", stick, "--check") == 0
    assert "signature and 5 files are right" in capsys.readouterr().out
    assert _agent("sync", "receipt", stick, "--config", config) == 1
    assert "receipt.json" in capsys.readouterr().err
    assert hub("import", stick) == 0
    assert "2 clips, 3 events, 0 refused" in capsys.readouterr().out
    assert _agent("sync", "receipt", stick, "--config", config) == 0
    assert gateway.synced() == {clip.id for clip in kept}
    assert _agent("sync", "status", "--config", config) == 0
    words = capsys.readouterr().out
    assert "clips 0" in words and "waiting 0, reconciled 3" in words
    assert _agent("sync", "export", "--to", stick, "--config", config) == 0
    assert "nothing to write" in capsys.readouterr().err


def test_what_is_no_stick_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["import", str(tmp_path)], "there is no export"),
        (["import"], "name the directory"),
    ):
        assert hub_cli([*words, "--state-dir", str(tmp_path / "hub")]) == 1
        assert said in capsys.readouterr().err
