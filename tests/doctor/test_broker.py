from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.config.load import load_settings
from edge_agent.config.settings import AgentSettings
from edge_agent.doctor.broker import examine_broker
from edge_agent.doctor.finding import State
from tests.support.broker import Broker, free_port, needs_mosquitto

pytestmark = [needs_mosquitto, pytest.mark.end_to_end]

PASSWORD = "correct horse"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Broker]:
    """A broker where the user gateway may write results but not listen to commands; nobody else may anything."""
    passwords, rights = tmp_path / "passwords", tmp_path / "rights"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "gateway", PASSWORD], check=True)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "guest", PASSWORD], check=True)
    rights.write_text("user gateway\ntopic readwrite edge_agent/site/gateway/#\nuser guest\ntopic read other/#\n")
    rights.chmod(0o600)
    broker = Broker(
        tmp_path / "broker",
        listener=f"allow_anonymous false\npassword_file {passwords}\nacl_file {rights}\n",
    )
    broker.start()
    yield broker
    broker.stop()


def settings(tmp_path: Path, mqtt: str, password: str = PASSWORD) -> AgentSettings:
    secret = tmp_path / "secret"
    secret.write_text(password)
    secret.chmod(0o600)
    path = tmp_path / "agent.toml"
    path.write_text("[mqtt]\n" + mqtt.replace("SECRET", str(secret)))
    return load_settings(path, {})


def test_a_broker_that_lets_the_agent_in_is_ok(guarded: Broker, tmp_path: Path) -> None:
    mine = settings(tmp_path, f'port = {guarded.port}\nusername = "gateway"\npassword_file = "SECRET"\n')
    findings = list(examine_broker(mine, {}))
    assert [finding.state for finding in findings] == [State.OK] * 3
    assert "MQTT 5, not encrypted" in findings[0].summary
    assert "publish to edge_agent/site/gateway/#" in findings[1].summary
    assert "listen to edge_agent/site/gateway/cmd/#" in findings[2].summary


def test_the_older_protocol_is_asked_for_when_it_is_configured(guarded: Broker, tmp_path: Path) -> None:
    mine = settings(
        tmp_path, f'port = {guarded.port}\nprotocol = "3.1.1"\nusername = "gateway"\npassword_file = "SECRET"\n'
    )
    assert "MQTT 3.1.1" in next(iter(examine_broker(mine, {}))).summary


def test_a_wrong_password_fails_and_is_not_shown(guarded: Broker, tmp_path: Path) -> None:
    mine = settings(tmp_path, f'port = {guarded.port}\nusername = "gateway"\npassword_file = "SECRET"\n', "wrong-one")
    (finding,) = examine_broker(mine, {})
    assert finding.state is State.FAIL and "refuses the agent" in finding.summary
    assert "wrong-one" not in repr(finding)


def test_missing_rights_fail_and_name_the_topic(guarded: Broker, tmp_path: Path) -> None:
    mine = settings(tmp_path, f'port = {guarded.port}\nusername = "guest"\npassword_file = "SECRET"\n')
    reached, publish, *_ = examine_broker(mine, {})
    assert reached.state is State.OK
    assert publish.state is State.FAIL and "edge_agent/site/gateway/#" in publish.summary


def test_nobody_there_fails(tmp_path: Path) -> None:
    (finding,) = examine_broker(settings(tmp_path, f"port = {free_port()}\n"), {})
    assert finding.state is State.FAIL and "Connection refused" in finding.summary


def test_a_server_of_another_protocol_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def hang_up() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    connection.sendall(b"220 mail.example ESMTP\r\n")
                    connection.close()
            except OSError:
                return

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        (finding,) = examine_broker(settings(tmp_path, f"port = {server.getsockname()[1]}\n"), {})
    assert finding.state is State.FAIL


def test_tls_where_the_broker_has_none_fails_with_the_mend(guarded: Broker, tmp_path: Path) -> None:
    (finding,) = examine_broker(settings(tmp_path, f"port = {guarded.port}\n[mqtt.tls]\nenabled = true\n"), {})
    assert finding.state is State.FAIL and "TLS" in finding.summary + finding.mend


def test_a_broker_that_is_not_used_is_ok() -> None:
    off = AgentSettings()
    (finding,) = examine_broker(off.model_copy(update={"mqtt": off.mqtt.model_copy(update={"enabled": False})}), {})
    assert finding.state is State.OK
