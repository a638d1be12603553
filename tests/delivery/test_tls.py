"""Certificates of brokers that must not be trusted, and one of the gateway's that is renewed while it runs."""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.delivery.errors import Failure
from edge_agent.delivery.mqtt import MqttSettings, Publisher, TlsSettings
from edge_agent.delivery.outbox import MemoryOutbox
from edge_agent.delivery.status import GatewayStatus
from tests.delivery import samples
from tests.support.broker import Broker, needs_mosquitto, wait_until
from tests.support.certificates import make_certificates, needs_openssl, tls_listener

pytestmark = [needs_mosquitto, needs_openssl]

_MORE = r"""
set -e
extensions() { printf "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=$1" > ext; }
sign() { # name, subjectAltName, dates
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj /CN=$1
  extensions $2
  openssl ca -batch -config ca.cnf -cert ca.crt -keyfile ca.key -in $1.csr -out $1.crt -extfile ext $3 $4 $5 $6
}
sign elsewhere DNS:elsewhere.example -days 2
sign early IP:127.0.0.1 -startdate 20400101000000Z -enddate 20410101000000Z
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout self.key -out self.crt -subj /CN=self \
  -days 2 -addext subjectAltName=IP:127.0.0.1
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = make_certificates(tmp_path_factory.mktemp("tls"))
    subprocess.run(["bash", "-c", _MORE], cwd=directory, check=True, capture_output=True)
    return directory


Start = Callable[[int, TlsSettings], Publisher]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Publisher] = []

    def begin(port: int, tls: TlsSettings) -> Publisher:
        publisher = Publisher(
            MqttSettings(host="127.0.0.1", port=port, tls=tls, backoff_min_s=0.02, backoff_max_s=0.1),
            samples.TOPICS,
            MemoryOutbox(),
            GatewayStatus(samples.factory(), samples.facts, time.time_ns),
            jitter=lambda: 0.5,
            wall_ns=time.time_ns,
        )
        started.append(publisher)
        publisher.start()
        return publisher

    yield begin
    for publisher in started:
        publisher.stop(0.0)


def refused(publisher: Publisher) -> int:
    return dict(publisher.stats().failed).get(Failure.TLS, 0)


@pytest.mark.parametrize(
    "case",
    [
        ("elsewhere", "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("early", "certificate is not yet valid"),
        ("self", "self-signed certificate"),
    ],
    ids=lambda case: case[0],
)
def test_a_broker_that_is_not_to_be_trusted_is_left_and_told_once(
    tmp_path: Path, certificates: Path, start: Start, caplog: pytest.LogCaptureFixture, case: tuple[str, str]
) -> None:
    of_broker, said = case
    caplog.set_level(logging.INFO, "edge_agent.delivery")
    with Broker(tmp_path / "broker", listener=tls_listener(certificates, of_broker)) as broker:
        broker.start()
        publisher = start(broker.port, TlsSettings(certificates / "ca.crt"))
        wait_until(lambda: refused(publisher) >= 5, 30.0, "refusals")
        assert publisher.stats().connects == 0
        assert len(caplog.records) == 1
        assert said in caplog.text


def test_the_systems_authorities_know_no_authority_of_ours(tmp_path: Path, certificates: Path, start: Start) -> None:
    with Broker(tmp_path / "broker", listener=tls_listener(certificates)) as broker:
        broker.start()
        publisher = start(broker.port, TlsSettings())
        wait_until(lambda: refused(publisher) >= 1, 30.0, "a refusal")


def test_a_certificate_that_is_renewed_while_it_runs_is_taken(
    tmp_path: Path, certificates: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    own = TlsSettings(certificates / "ca.crt", tmp_path / "own.crt", tmp_path / "own.key")

    def renew(name: str) -> None:
        for end in ("crt", "key"):
            shutil.copy(certificates / f"{name}.{end}", tmp_path / f"own.{end}")

    renew("expired")
    with Broker(tmp_path / "broker", listener=tls_listener(certificates)) as broker:
        broker.start()
        publisher = start(broker.port, own)
        wait_until(lambda: refused(publisher) >= 2, 30.0, "refusals")
        assert "before the broker answered: it may not accept the gateway's certificate" in caplog.text
        renew("gw")
        wait_until(lambda: publisher.stats().connected, 30.0, "connection with the new one")
