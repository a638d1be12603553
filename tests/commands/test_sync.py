"""`edge-agent sync` from the command line, against a hub that answers, one that is away, and one that says no."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.agent import Shell, write_config
from tests.support.contract_hub import ContractHub, Kept
from tests.sync.gateway import Gateway, key_file


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capfd)


def _config(directory: Path, url: str, *, key: str | None = None, body: str = "") -> tuple[Gateway, Path]:
    gateway = Gateway(directory, url)
    path = key_file(directory, *(() if key is None else (key,))).path
    text = (
        '[clips]\nspeech = "off"\nmin_free_bytes = 0\n'
        f'[hub]\nenabled = true\nurl = "{url}"\nkey_file = "{path}"\n{body}'
    )
    config = write_config(directory / "agent.toml", state_dir=gateway.state_dir, mqtt_port=None, http_port=1, body=text)
    return gateway, config


def test_once_sends_all_and_says_how_much(shell: Shell, tmp_path: Path) -> None:
    with ContractHub() as hub:
        gateway, config = _config(tmp_path, hub.url)
        gateway.keep(3)
        done = shell("sync", "--config", config, "--json")
        facts = json.loads(done.out)
        assert (done.status, facts["clips"], facts["files"]) == (0, 3, 3)
        assert len(hub.kept.records) == 3
        again = json.loads(shell("sync", "--config", config, "--json").out)
        assert (again["clips"], again["bytes"]) == (0, 0)
        status = json.loads(shell("sync", "status", "--config", config, "--json").out)
        assert status["answers"] is True and status["waiting"]["clips"] == 0
        words = shell("sync", "status", "--config", config).out
        assert "waiting" in words and "clips 0" in words


def test_a_hub_that_is_away_fails_with_one_line_and_loses_nothing(shell: Shell, tmp_path: Path) -> None:
    with ContractHub() as gone:
        url = gone.url
    gateway, config = _config(tmp_path, url)
    gateway.keep(1)
    done = shell("sync", "--config", config)
    assert done.status == 1 and "cannot be reached" in done.err and "Traceback" not in done.err
    assert gateway.synced() == set()
    status = json.loads(shell("sync", "status", "--config", config, "--json").out)
    assert status["answers"] is False and status["waiting"]["clips"] == 1


def test_a_wrong_key_is_said(shell: Shell, tmp_path: Path) -> None:
    with ContractHub() as hub:
        gateway, config = _config(tmp_path, hub.url, key="another-key-that-is-secret")
        gateway.keep(1)
        done = shell("sync", "--config", config)
        assert done.status == 1 and "does not let this gateway in" in done.err
        assert "another-key-that-is-secret" not in done.out + done.err


def test_what_the_hub_refused_is_told_and_can_be_tried_again(shell: Shell, tmp_path: Path) -> None:
    with ContractHub(Kept()) as hub:
        gateway, config = _config(tmp_path, hub.url)
        (clip,) = gateway.keep(1)
        hub.answer_with = lambda _method, path: (415, {}, b'{"detail": "odd"}') if clip.id in path else None
        assert shell("sync", "--config", config).status == 0
        assert "415: odd" in shell("sync", "status", "--config", config).out
        hub.answer_with = lambda _method, _path: None
        assert json.loads(shell("sync", "retry", "--config", config, "--json").out) == {"clips": 1}
        assert shell("sync", "--config", config).status == 0
        assert gateway.synced() == {clip.id}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('url = "http://hub.example:1"', "goes only to this machine"),
        ('url = "https://anna:secret@hub"', "hub.url"),
        ("enabled = true", "needs key_file or tls.cert_file"),
        ('[hub.schedule]\nbetween = "22-5"', "hub.schedule.between"),
        ('[hub.tls]\ncert_file = "c"', "needs key_file beside it"),
    ],
)
def test_a_bad_hub_section_ends_with_78_and_the_key(shell: Shell, tmp_path: Path, line: str, said: str) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(f"[hub]\n{line}\n")
    done = shell("sync", "--config", config)
    assert done.status == 78 and said in done.err


def test_without_a_hub_the_command_says_what_to_do(shell: Shell, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text("")
    done = shell("sync", "--config", config)
    assert done.status == 1 and "hub.enabled is false" in done.err and "sync export" in done.err
