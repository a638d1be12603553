"""`training-hub serve` as a process: probes, log, end, TLS with gateways' certificates."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import make_certificates, needs_openssl
from tests.support.clips import make_clip
from tests.support.hub import PASSWORD, write_secret
from tests.support.hub_process import HubProcess, hub_process
from training_hub import cli


def test_a_hub_from_nothing_to_a_clip_and_its_end(tmp_path: Path) -> None:
    secret = write_secret(tmp_path / "password", PASSWORD).path
    with hub_process(tmp_path / "hub", '[log]\nformat = "json"\n') as hub:
        hub.command("users", "add", "anna", "--role", "admin", "--password-file", secret)
        key = hub.gateway_key()
        gateway, person = hub.client(key), hub.client()
        assert make_clip(1).put(gateway).status_code == 201
        assert person.get("/livez").text == "ok\n"
        assert person.get("/readyz").text == "ok\n"
        login = person.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
        assert login.status_code == 200
        assert person.get("/api/v1/session?token=not-for-the-log").json()["role"] == "admin"
        metrics = person.get("/metrics").text
        assert (
            'training_hub_http_requests_total{method="PUT",route="/api/v1/clips/{sha256}",status="201"} 1.0' in metrics
        )
        assert os.stat(hub.state_dir).st_mode & 0o077 == 0
        assert hub.stop() == 0
        lines = [json.loads(line) for line in hub.log.read_text().splitlines()]
        assert lines[-1]["message"] == "the hub has ended"
        text = hub.log.read_text()
        for word in (key, PASSWORD, login.json()["csrf_token"], "not-for-the-log"):
            assert word not in text


def test_systemd_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(60)
        environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "300000"}
        with hub_process(tmp_path / "hub", environ=environ) as hub:
            assert listener.recv(4096).startswith(b"READY=1")
            assert listener.recv(4096) == b"WATCHDOG=1"
            hub.stop()
            heard = b""
            while heard != b"STOPPING=1":
                heard = listener.recv(4096)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('[server]\nhost = "0.0.0.0"\n', "hub.toml:2: server.host: 0.0.0.0 is off the loopback"),
        ("[server]\nprot = 1\n", "hub.toml:2: server.prot: unknown key; did you mean 'port'?"),
        ('[server.tls]\ncert_file = "x"\n', "needs key_file beside it"),
        ('[server]\nclient_certificate_header = "X-Client-Cert"\n', "set behind_proxy"),
        ('[accounts.oidc]\nissuer = "https://login.example.org"\n', "needs client_id beside it"),
    ],
    ids=["in the clear", "typo", "no key", "no proxy", "no client id"],
)
def test_bad_settings_are_named_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str, message: str
) -> None:
    config = tmp_path / "hub.toml"
    config.write_text(settings)
    assert cli.main(["serve", "--config", str(config), "--state-dir", str(tmp_path / "state")]) == 78
    assert message in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        hub = HubProcess(tmp_path / "hub", environ={"TRAINING_HUB__SERVER__PORT": port})
        done = hub.command("serve", check=False)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def _context(certificates: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    if name is not None:
        context.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    return context


def _fingerprint(certificate: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(_pem(certificate))).hexdigest()


def _pem(certificate: Path) -> str:
    text = certificate.read_text()
    return text[text.index("-----BEGIN") :]


@needs_openssl
def test_a_gateway_comes_with_a_certificate_over_tls(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "tls")
    settings = (
        f'[server.tls]\ncert_file = "{made}/broker.crt"\nkey_file = "{made}/broker.key"\n'
        f'client_ca_file = "{made}/ca.crt"\n'
    )
    with hub_process(tmp_path / "hub", settings) as hub:
        assert hub.url.startswith("https://")
        hub.command("gateways", "add", "plant_1", "gw_1", "--certificate-sha256", _fingerprint(made / "gw.crt"))
        clip = make_clip(1)
        with hub.client(tls=_context(made, "gw")) as gateway:
            assert clip.put(gateway).status_code == 201
        with hub.client(tls=_context(made, None)) as nobody:
            answer = clip.put_record(nobody)
            assert answer.status_code == 401
            assert "max-age" in answer.headers["strict-transport-security"]
        with hub.client(tls=_context(made, "broker")) as unregistered:
            assert clip.put_record(unregistered).status_code == 401, "of the right authority, but nobody's"
        for name in ("stranger", "expired"):
            with pytest.raises(httpx.TransportError), hub.client(tls=_context(made, name)) as refused:
                clip.put_record(refused)
        port = hub.url.rpartition(":")[2]
        old = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
        assert subprocess.run(old, input=b"", capture_output=True, check=False, timeout=60).returncode != 0
        hub.command("gateways", "disable", "plant_1", "gw_1")
        with hub.client(tls=_context(made, "gw")) as gateway:
            assert clip.put_record(gateway).status_code == 401
