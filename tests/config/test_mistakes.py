"""A mistake gives one clear line: file and line, or variable; key; what is wrong; the mend."""

# ruff: noqa: E501 (a table of exact messages)

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.config import ConfigError, load_settings
from edge_agent.config.check import run_check

FAN = '[[machine]]\nid = "fan_1"\n'
SIM = '[[source]]\nid = "s"\nkind = "simulated"\n'

MISTAKES = {
    "unknown key": ("[mqtt]\nprot = 1\n", "a.toml:2: mqtt.prot: unknown key; did you mean 'port'?"),
    "unknown section": ("[mqqt]\n", "a.toml:1: mqqt: unknown key; did you mean 'mqtt'?"),
    "option of pydantic-settings": ("_env_file = 'x'\n", "a.toml:1: _env_file: unknown key; known here: agent, window,"
        " model, detection, alarms, clips, mqtt, hub, http, log, machine, source"),
    "above bound": ("[mqtt]\nport = 70000\n", "a.toml:2: mqtt.port: must be at most 65535, not 70000"),
    "below bound, dotted key": ("# x\nmqtt.port = 0", "a.toml:2: mqtt.port: must be at least 1, not 0"),
    "text for a number": ('[http]\nport = "x"\n', "a.toml:2: http.port: must be a whole number, not 'x'"),
    "number in quotes": ('[http]\nport = "9105"\n', "a.toml:2: http.port: must be a whole number, not '9105'"),
    "number for true": ("[mqtt]\nenabled = 1\n", "a.toml:2: mqtt.enabled: must be true or false, not 1"),
    "not finite": ("[window]\nwindow_s = nan\n", "a.toml:2: window.window_s: must be a finite number, not nan"),
    "choice": ('[log]\nlevel = "infos"\n', "a.toml:2: log.level: must be one of 'debug', 'info', 'warning' or 'error',"
        " not 'infos'; did you mean 'info'?"),
    "value for table": ("mqtt = 3\n", "a.toml:1: mqtt: must be a table, not 3"),
    "table for list": ("[source]\nid = 'x'\n", "a.toml:1: source: must be a list, not a table"),
    "nested table": ("[mqtt]\n\n[mqtt.tls]\ncert_file = 'x'\n", "a.toml:4: mqtt.tls.cert_file: needs key_file beside it"),
    "inline table": ("[mqtt]\ntls = {\tca = 'x' }\n", "a.toml:2: mqtt.tls.ca: unknown key; known here: enabled, ca_file,"
        " cert_file, key_file"),
    "hop": ("[window]\nhop_s = 20.0\n", "a.toml:2: window.hop_s: must be at most window_s (10.0), not 20.0: sound would"
        " go unheard"),
    "open without token": ("[http]\nhost = '0.0.0.0'", "a.toml:2: http.host: '0.0.0.0' can be reached from the network;"
        " set token_file, or listen on '127.0.0.1'"),
    "id": ("[agent]\nsite = 'a/b'", "a.toml:2: agent.site: must be 1 to 64 letters, digits, '_', '.' or '-', the first a"
        " letter or digit, not 'a/b'"),
    "kind": (SIM.replace("simulated", "simulate"), "a.toml:3: source[0].kind: must be one of 'microphone', 'replay',"
        " 'stream', 'simulated', not 'simulate'; did you mean 'simulated'?"),
    "kind missing": ("[[source]]\nid = 's'\n", "a.toml:1: source[0].kind: missing; one of 'microphone', 'replay',"
        " 'stream', 'simulated'"),
    "second item": (FAN + SIM + "channel = [{machine = 'fan_1'}]\n[[source]]\nkind = 'simulated'\nid = 't'\nrate_hz = 1\n"
        "[[source.channel]]\nmachine = 'auto'", "a.toml:10: source[1].rate_hz: must be at least 8000, not 1"),
    "inline item": (FAN + SIM + "channel = [\n {machine = 'auto'},\n {machine = 'auto', index = 99}]\n",
        "a.toml:8: source[0].channel[1].index: must be at most 63, not 99"),
    "no such machine": (SIM + "[[source.channel]]\nmachine = 'x'", "a.toml:5: source[0].channel[0].machine: no"
        " [[machine]] has the id 'x'; known: none"),
    "same id": (FAN + FAN, "a.toml:4: machine[1].id: 'fan_1' is the id of machine[0] too"),
    "bare index": ("[[source]]\nid = 'm'\nkind = 'microphone'\ndevice = '0'\nchannel = [{machine = 'auto'}]",
        "a.toml:4: source[0].device: a bare index changes at reboot; take a name that `edge-agent devices` lists, not '0'"),
    "default device": ("[[source]]\nid = 'm'\nkind = 'microphone'\ndevice = 'default'\nchannel = [{machine = 'auto'}]",
        "a.toml:4: source[0].device: device 'default' is whatever the sound system chooses; name a microphone "),
    "password in the url": ("[[source]]\nid = 'm'\nkind = 'stream'\nurl = 'rtsp://u:p@h/'\nchannel = [{machine = 'auto'}]",
        "a.toml:4: source[0].url: the stream's url holds a user or password; give username and password_file instead"),
    "channel that the stream has not": ("[[source]]\nid = 'm'\nkind = 'stream'\nurl = 'rtsp://h/'\n"
        "channel = [{machine = 'auto', index = 1}]", "a.toml:1: source[0].channels: must be above 1, the highest channel that is heard"),
    "syntax": ("[mqtt]\nport = = 1", "a.toml:2: is not TOML: Invalid value"),
    "open string at the end": ('[mqtt]\nhost = "', "a.toml:2: is not TOML: Unterminated string"),
    "huge number": ("[window]\nhop_s = 1" + "0" * 400, "a.toml:2: window.hop_s: "),
    "too deep": ("a = " + "[" * 5000, "a.toml: is nested too deeply"),
    "secret in place of its file": ("[mqtt]\npassword = 'hunter2'", "a.toml:2: mqtt.password: unknown key; did you mean"
        " 'password_file'?"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gives_one_line(text: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(Path("a.toml"), {})
    if line.endswith(" "):
        assert len(caught.value.problems) == 1
        assert str(caught.value).startswith(line)
    else:
        assert str(caught.value) == line


ENVIRONMENT_MISTAKES = {
    "unknown": ({"EDGE_AGENT__MQTT__PROT": "1"}, "EDGE_AGENT__MQTT__PROT: mqtt.prot: unknown key; did you mean 'port'?"),
    "value": ({"EDGE_AGENT__MQTT__PORT": "x"}, "EDGE_AGENT__MQTT__PORT: mqtt.port: must be a whole number, not 'x'"),
    "hole": ({"EDGE_AGENT__MACHINE__3__ID": "x"}, "EDGE_AGENT__MACHINE__3__ID: machine[3]: there is no item 0 yet; number"
        " items without a hole"),
    "below a leaf": ({"EDGE_AGENT__MQTT__PORT__X": "1"}, "EDGE_AGENT__MQTT__PORT__X: mqtt.port.x: unknown key; mqtt.port"
        " is a single value"),
    "not JSON": ({"EDGE_AGENT__MQTT": "hunter2"}, "EDGE_AGENT__MQTT: mqtt: must be JSON when it is set as a whole"),
    "missing key of a new item": ({"EDGE_AGENT__MACHINE__0__TYPE": "fan"}, "EDGE_AGENT__MACHINE__0__TYPE: machine[0].id: missing; it says: Name of"
        " the machine, unique on this gateway."),
}  # fmt: skip


@pytest.mark.parametrize(("environ", "line"), ENVIRONMENT_MISTAKES.values(), ids=ENVIRONMENT_MISTAKES)
def test_a_mistake_in_the_environment_names_the_variable(environ: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, environ)
    assert str(caught.value) == line


GOOD = (Path(__file__).parents[2] / "config" / "agent.toml").read_text().encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 20), st.binary(max_size=6)), max_size=6),
       uncomment=st.booleans())  # fmt: skip
def test_damaged_text_raises_nothing_but_config_error(
    cuts: list[tuple[int, int, bytes]], uncomment: bool, tmp_path: Path
) -> None:
    text = GOOD.replace(b"\n#", b"\n") if uncomment else GOOD
    for start, length, insert in cuts:
        text = text[:start] + insert + text[start + length :]
    path = tmp_path / "a.toml"
    path.write_bytes(text)
    try:
        load_settings(path, {})
    except ConfigError as error:
        assert error.problems


def test_a_root_that_cannot_be_read_and_a_damaged_note_of_what_is_in_use_are_said(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "models").mkdir(parents=True)
    (state / "models" / "active.json").write_text("{")
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[agent]\nstate_dir = "{state}"\n[hub]\nenabled = true\nurl = "http://127.0.0.1:1"\n'
        f'key_file = "{tmp_path / "none"}"\nroot_file = "{tmp_path / "root.json"}"\n'
    )
    said = [str(problem) for problem in run_check(config, {}).problems]
    assert any("hub.root_file" in problem for problem in said)
    assert any("active.json" in problem for problem in said)
