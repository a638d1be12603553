"""Environment over file, generated documents, secrets, checks."""

import json
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from edge_agent.config import AgentSettings, SecretFileError, load_settings
from edge_agent.config.check import run_check
from edge_agent.config.generate import documents, main
from edge_agent.config.http import HttpSection
from edge_agent.settings.secret import SecretFile
from edge_agent.settings.tree import Items, Leaf, Node, Table, choices_of, node_of

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "agent.toml"
KINDS = {
    "microphone": '{"kind": "microphone", "id": "s", "device": "usb:1", "channel": [{"machine": "auto"}]}',
    "replay": '{"kind": "replay", "id": "s", "paths": ["x"], "channel": [{"machine": "auto"}]}',
    "stream": '{"kind": "stream", "id": "s", "url": "rtsp://10.0.0.7/a", "channel": [{"machine": "auto"}], '
    '"channels": 2, "username": "u", "password_file": "p"}',
    "simulated": '{"kind": "simulated", "id": "s", "channel": [{"machine": "auto"}]}',
}
# what lets every single leaf be set without contradicting another
BASE = {"EDGE_AGENT__MACHINE": '[{"id": "m"}]', "EDGE_AGENT__MQTT__USERNAME": "u", "EDGE_AGENT__MQTT__TLS":
        '{"enabled": true, "cert_file": "c", "key_file": "k"}', "EDGE_AGENT__HUB__TLS":
        '{"cert_file": "c", "key_file": "k"}'}  # fmt: skip
PLAIN = {bool: "yes", int: "5000", float: "3.0", str: "usb_x", Path: "x/y", SecretFile: "x/y"}
SPECIAL = {"index": "1", "max_bytes": "5000000", "rate_hz": "48000", "raise_after": "2", "machine": "m",
           "min_coverage": "0.5", "hysteresis": "0.3", "severity": "0.3", "raise_within": "30", "clear_after": "30",
           "keepalive_s": "50", "window_s": "20.0", "host": "localhost", "url": "rtsps://a/b",
           "channels": "3", "plant_machines": "5", "plant_share": "0.7", "plant_within_s": "90",
           "alarm_per_episode": "7", "uncertain_per_day": "7", "uncertain_margin": "0.3", "novel_per_day": "7",
           "novel_distance": "0.3", "between": "22:00-05:00",
           "receipt_key": "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", "random_per_day": "7"}  # fmt: skip


def _leaves(node: Node, path: tuple[str, ...], kind: str) -> Iterator[tuple[tuple[str, ...], Leaf, str]]:
    if isinstance(node, Items):
        yield from _leaves(node.item, (*path, "0"), kind)
    elif isinstance(node, Leaf):
        yield path, node, kind
    elif node.kinds:
        for each, model in zip(node.kinds, node.models, strict=True):
            yield from _leaves(Table((model,)), path, each)
    else:
        for name, field in node.fields.items():
            yield from _leaves(node_of(field.annotation), (*path, name), kind)


LEAVES = list(_leaves(node_of(AgentSettings), (), ""))


@pytest.mark.parametrize(("path", "leaf", "kind"), LEAVES, ids=[f"{kind}:{'.'.join(path)}" for path, _, kind in LEAVES])
def test_every_key_can_be_set_by_the_environment(path: tuple[str, ...], leaf: Leaf, kind: str) -> None:
    text = (
        "backup:1883"
        if "fallback" in path
        else "https://hub:8400"
        if path == ("hub", "url")
        else SPECIAL.get(path[-1]) or (choices_of(leaf)[-1] if choices_of(leaf) else PLAIN[leaf.scalar])
    )
    source = {"EDGE_AGENT__SOURCE": f"[{KINDS[kind or 'simulated']}]"}
    variable = "EDGE_AGENT__" + "__".join(path).upper()
    settings = load_settings(None, {**BASE, **source, variable: text})
    value: object = settings
    for part in path:
        value = value[int(part)] if isinstance(value, tuple) else getattr(value, part)
    expected = {bool: True, int: int, float: float, SecretFile: SecretFile, Path: Path}.get(leaf.scalar, str)
    assert value == (expected(text) if isinstance(expected, type) else expected)


def test_environment_changes_and_adds_items_over_the_file() -> None:
    settings = load_settings(
        EXAMPLE, {"EDGE_AGENT__SOURCE__0__RATE_HZ": "48000", "EDGE_AGENT__MACHINE__1__ID": "pump_1"}
    )
    assert settings.source[0].rate_hz == 48000
    assert settings.source[0].id == "mic_1"
    assert [machine.id for machine in settings.machine] == ["fan_1", "pump_1"]


def test_building_in_code_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_AGENT__MQTT__PORT", "7")
    assert AgentSettings().mqtt.port == 1883


def test_settings_survive_a_round_trip() -> None:
    settings = load_settings(EXAMPLE, BASE | {"EDGE_AGENT__MACHINE": '[{"id": "fan_1"}]'})
    assert AgentSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("name", documents())
def test_generated_files_are_current(name: str) -> None:
    assert (ROOT / name).read_text() == documents()[name], "run python -m edge_agent.config.generate"


def test_generator_reports_a_stale_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--root", str(tmp_path), "--check"]) == 0
    (tmp_path / "config/agent.toml").write_text("[stale]\n")
    assert main(["--root", str(tmp_path), "--check"]) == 1
    assert "-[stale]" in capsys.readouterr().out


def test_example_meets_the_schema_for_editors() -> None:
    schema = json.loads((ROOT / "config/agent.schema.json").read_text())
    jsonschema.validate(tomllib.loads(EXAMPLE.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"mqtt": {"prot": 1}}, schema)


def _secret(directory: Path, content: bytes = b"hunter2\n", mode: int = 0o600) -> Path:
    path = directory / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_secret_is_read_but_never_shown(tmp_path: Path) -> None:
    settings = load_settings(None, BASE | {"EDGE_AGENT__MQTT__PASSWORD_FILE": str(_secret(tmp_path))})
    assert settings.mqtt.password_file is not None
    secret = settings.mqtt.password_file.read({})
    assert secret.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{settings!r} {settings} {secret!r} {secret} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [(b"hunter2", 0o644, "open to others"), (b"hunter2\nx", 0o600, "one line"), (b"hunter2\xff", 0o600, "not UTF-8"),
     (b"", 0o600, "one line"), (b"hunter2" * 1000, 0o600, "more than 4096")],
)  # fmt: skip
def test_a_flawed_secret_is_refused_without_showing_it(content: bytes, mode: int, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SecretFileError, match=reason) as caught:
        SecretFile(str(_secret(tmp_path, content, mode))).read({})
    assert "hunter2" not in str(caught.value)


def test_a_bare_name_is_a_credential_of_systemd(tmp_path: Path) -> None:
    _secret(tmp_path, mode=0o644)
    assert SecretFile("secret").read({"CREDENTIALS_DIRECTORY": str(tmp_path)}).get_secret_value() == "hunter2"


def test_check_looks_at_what_the_settings_point_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        environ = {
            "EDGE_AGENT__AGENT__STATE_DIR": str(tmp_path / "file"), "EDGE_AGENT__MODEL__BUNDLE": str(bundle),
            "EDGE_AGENT__MQTT__USERNAME": "u", "EDGE_AGENT__MQTT__PASSWORD_FILE": str(tmp_path / "absent"),
            "EDGE_AGENT__HTTP__PORT": str(server.getsockname()[1]),
            "EDGE_AGENT__SOURCE": f"[{KINDS['replay']}]".replace('"x"', '"/absent"'),
        }  # fmt: skip
        report = run_check(None, environ)
    assert [problem.key for problem in report.problems] == [
        "agent.state_dir", "model.bundle", "mqtt.password_file", "source[0].paths[0]"]  # fmt: skip
    assert [warning.key for warning in report.warnings] == ["http.port"]
    (bundle / "manifest.json").write_text("{}")
    assert run_check(None, {"EDGE_AGENT__MODEL__BUNDLE": str(bundle), "STATE_DIRECTORY": str(tmp_path)}).ok


def test_check_reports_a_configuration_that_cannot_be_loaded() -> None:
    report = run_check(None, {"EDGE_AGENT__MQTT__PORT": "0"})
    assert not report.ok
    assert report.settings is None


_REACHABLE = ("0.0.0.0", "::", "[::]", "0", "127.1", "::ffff:0.0.0.0", "192.0.2.1", "gateway.local", "localhost.evil")


@pytest.mark.parametrize("host", _REACHABLE)
def test_whatever_the_network_can_reach_needs_a_token(host: str) -> None:
    with pytest.raises(ValidationError, match="set token_file"):
        HttpSection(host=host)
