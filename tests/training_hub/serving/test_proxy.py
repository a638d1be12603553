"""What a proxy says of its client is believed of trusted proxies alone."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from tests.support.certificates import make_certificates, needs_openssl
from tests.support.clips import make_clip
from tests.support.hub import PASSWORD, Hub
from training_hub.accounts.certificate import from_header
from training_hub.accounts.gateways import add_gateway, set_certificate
from training_hub.api.app import make_app
from training_hub.config.server import ServerSection
from training_hub.parts import HubParts

DER = b"\x30\x03\x02\x01\x05"
SHA256 = hashlib.sha256(DER).hexdigest()


def _behind(hub: Hub, peer: str) -> TestClient:
    """The hub behind proxies of 10.0.0.0/8, asked by one peer."""
    state_dir = hub.parts.settings.server.state_dir
    server = ServerSection(
        host="0.0.0.0",
        behind_proxy=True,
        trusted_proxies=("10.0.0.0/8",),
        client_certificate_header="X-Client-Cert",
        state_dir=state_dir,
    )
    settings = hub.parts.settings.model_copy(update={"server": server})
    parts = HubParts(settings, hub.parts.database, hub.parts.objects, hub.parts.jobs)
    return TestClient(make_app(parts), client=(peer, 40_000))


@pytest.mark.parametrize(
    "value",
    [
        SHA256,
        ":".join(SHA256[at : at + 2] for at in range(0, 64, 2)).upper(),
        ":MAMCAQU=:",
        quote("-----BEGIN CERTIFICATE-----\nMAMC\nAQU=\n-----END CERTIFICATE-----\n"),
    ],
    ids=["hex", "hex with colons", "RFC 9440", "PEM escaped"],
)
def test_a_trusted_proxy_passes_the_certificate_on(hub: Hub, value: str) -> None:
    with hub.parts.database.transaction() as session:
        add_gateway(session, "plant_1", "gw_1", by="hub")
        set_certificate(session, "plant_1", "gw_1", SHA256, by="hub")
    clip = make_clip(1)
    for peer, status in (("10.1.2.3", 201), ("192.168.1.1", 401)):
        client = _behind(hub, peer)
        client.headers["X-Client-Cert"] = value
        assert clip.put_file(client).status_code == status


def test_without_a_proxy_the_header_means_nothing(hub: Hub) -> None:
    with hub.parts.database.transaction() as session:
        add_gateway(session, "plant_1", "gw_1", by="hub")
        set_certificate(session, "plant_1", "gw_1", SHA256, by="hub")
    client = hub.anonymous()
    client.headers["X-Client-Cert"] = SHA256
    assert make_clip(1).put_file(client).status_code == 401


@pytest.mark.parametrize("value", ["", "x", "ab" * 31, ":AAA:", "-----BEGIN CERTIFICATE-----", "::", "%zz", "é"])
def test_what_is_no_certificate_is_none(value: str) -> None:
    assert from_header(value) is None


@needs_openssl
def test_a_real_certificate_reads_the_same_in_each_form(tmp_path: Path) -> None:
    import ssl

    text = (make_certificates(tmp_path) / "gw.crt").read_text()
    pem = text[text.index("-----BEGIN") :]
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert from_header(quote(pem)) == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize(("peer", "address"), [("10.1.2.3", "203.0.113.7"), ("192.168.1.1", "192.168.1.1")])
def test_the_clients_address_and_scheme_are_the_proxys_word(hub: Hub, peer: str, address: str) -> None:
    hub.add_person("engineer")
    client = _behind(hub, peer)
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    answer = client.post("/api/v1/session", json={"name": "engineer", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 200
    assert ("__Host-" in answer.headers["set-cookie"]) == (peer == "10.1.2.3")
    entries = hub.person("engineer").get("/api/v1/audit", params={"action": "session.open"}).json()["entries"]
    assert entries[0]["address"] == address


def test_metrics_are_shown_to_this_computer_or_with_a_key(hub: Hub) -> None:
    assert _behind(hub, "127.0.0.1").get("/metrics").status_code == 200
    assert _behind(hub, "192.168.1.1").get("/metrics").status_code == 401
    key = hub.script("viewer").headers["Authorization"]
    assert _behind(hub, "192.168.1.1").get("/metrics", headers={"Authorization": key}).status_code == 200
