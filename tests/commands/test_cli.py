"""The command line as a whole: exit statuses, and the small commands."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.cli import COMMANDS
from tests.support.agent import BUNDLE, ROOT, Shell, machine_sound, write_config, write_sound
from tests.support.broker import free_port


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(shell: Shell, command: str) -> None:
    done = shell(command, "--help")
    assert done.status == 0
    assert done.out.startswith(f"usage: edge-agent {command}")


def test_no_command_is_a_usage_error(shell: Shell) -> None:
    assert shell().status == 2


def test_a_command_that_does_not_exist(shell: Shell) -> None:
    assert shell("fly").status == 2


def test_a_bundle_is_verified(shell: Shell) -> None:
    done = shell("models", f"{BUNDLE}/")
    assert done.status == 0
    assert "verified   every hash" in done.out
    assert done.err == ""


def test_a_reader_that_goes_away_is_no_failure(commissioned: Path, tmp_path: Path) -> None:
    for index in range(30):
        write_sound(tmp_path / f"{index:02}.wav", machine_sound(3.0, seed=index))
    words = [sys.executable, "-m", "edge_agent", "replay", "--json", "--machine", "press", str(tmp_path)]
    with subprocess.Popen(
        [*words, "--bundle", str(BUNDLE), "--state-dir", str(commissioned)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as replay:  # fmt: skip
        assert replay.stdout is not None and replay.stderr is not None
        assert replay.stdout.readline().startswith('{"specversion"')
        replay.stdout.close()
        err = replay.stderr.read()
    assert "Traceback" not in err
    assert replay.returncode == 0


BODY = '[[machine]]\nid = "m"\n[[source]]\nid = "s"\nkind = "simulated"\n[[source.channel]]\nmachine = "m"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(
        tmp_path / "agent.toml", state_dir=tmp_path / "state", mqtt_port=None, http_port=free_port(), body=BODY
    )


def test_check_says_ok(shell: Shell, config: Path) -> None:
    done = shell("check", "--config", config)
    assert done.status == 0
    assert done.out.startswith("ok: 1 sources, 1 machines, bundle")
    assert not (config.parent / "state").exists()


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("port = ", "prot = ", "http.prot: unknown key; did you mean 'port'?"),
        ('kind = "simulated"', 'kind = "simulatd"', "did you mean 'simulated'?"),
        ('machine = "m"', 'machine = "x"', "source[0].channel[0].machine"),
        ('id = "m"', 'id = "m"\nid = "n"', "agent.toml:"),
        ("[mqtt]", "[mqtt", "agent.toml:"),
    ],
    ids=["unknown key", "unknown kind", "unknown machine", "key twice", "no TOML"],
)
def test_a_mistake_in_the_configuration(
    shell: Shell, config: Path, command: str, *, old: str, new: str, says: str
) -> None:
    config.write_text(config.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    done = shell(command, "--config", config)
    assert (done.status, done.out) == (78, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"{config}:")
    assert says in line
    assert not (config.parent / "state").exists()


def test_check_refuses_a_damaged_bundle(shell: Shell, config: Path, tmp_path: Path) -> None:
    text = config.read_text(encoding="utf-8").replace(f'bundle = "{BUNDLE}/"', f'bundle = "{tmp_path}/nothing/"')
    config.write_text(text, encoding="utf-8")
    done = shell("check", "--config", config)
    assert done.status == 78
    assert "model.bundle" in done.err
