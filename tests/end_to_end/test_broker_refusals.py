"""A running agent and brokers that refuse: certificates, rights, absence. Each is logged, counted and survived."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import PUMP, MakeSite, Plant, Site, source
from tests.support.agent import Agent, running
from tests.support.broker import Broker, Subscriber, free_port, needs_mosquitto, wait_until
from tests.support.certificates import make_certificates, needs_openssl, tls_listener

pytestmark = [pytest.mark.end_to_end, needs_mosquitto, needs_openssl]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def start_broker(tmp_path: Path) -> Iterator[Callable[[str], Broker]]:
    started: list[Broker] = []

    def start(listener: str) -> Broker:
        started.append(Broker(tmp_path / f"broker{len(started)}", listener=listener))
        started[-1].start()
        return started[-1]

    yield start
    for broker in started:
        broker.stop()


def value(agent: Agent, sample: str) -> float:
    _, text = agent.get("/metrics")
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def failed(agent: Agent, reason: str) -> float:
    return value(agent, f'edge_agent_mqtt_failed_total{{reason="{reason}"}}')


def with_mqtt(site: Site, lines: str) -> Site:
    site.config.write_text(site.config.read_text().replace("[mqtt]\n", f"[mqtt]\n{lines}\n", 1))
    return site


def tls_lines(certificates: Path, own: str, ca: str = "ca") -> str:
    names = {"ca_file": f"{ca}.crt", "cert_file": f"{own}.crt", "key_file": f"{own}.key"}
    files = "\n".join(f'tls.{key} = "{certificates / name}"' for key, name in names.items())
    return f"tls.enabled = true\n{files}"


WRONG = {
    "the broker's certificate is of another authority": ("broker", "gw", "other", "cannot be trusted"),
    "the broker's certificate has expired": ("broker_expired", "gw", "ca", "certificate has expired"),
    "the gateway's certificate is of another authority": ("broker", "stranger", "ca", "may not accept the gateway's"),
    "the gateway's certificate has expired": ("broker", "expired", "ca", "may not accept the gateway's"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_certificate_is_refused_logged_and_counted(
    plant: Plant, make_site: MakeSite, certificates: Path, start_broker: Callable[[str], Broker], name: str
) -> None:
    of_broker, own, ca, said = WRONG[name]
    broker = start_broker(tls_listener(certificates, of_broker))
    body = PUMP + source("film", "pump_1", plant.film, 100.0)
    site = with_mqtt(make_site(body, broker.port), tls_lines(certificates, own, ca))
    with running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: failed(agent, "tls") >= 2, 30.0, "two refusals counted")
        wait_until(lambda: value(agent, 'edge_agent_outbox_events{priority="result"}') > 0, 30.0, "results kept")
        assert value(agent, "edge_agent_mqtt_connected") == 0
        assert agent.get("/livez")[0] == 200
        assert agent.stop() == 0
    log = site.log.read_text()
    assert log.count("no connection to MQTT broker") == 1  # one line for the change, not one for each attempt
    assert said in log
    assert "PRIVATE KEY" not in log


def test_a_right_certificate_is_not(
    plant: Plant, make_site: MakeSite, certificates: Path, start_broker: Callable[[str], Broker]
) -> None:
    broker = start_broker(tls_listener(certificates))
    body = PUMP + source("film", "pump_1", plant.film, 100.0)
    site = with_mqtt(make_site(body, broker.port), tls_lines(certificates, "gw"))
    with running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: value(agent, "edge_agent_mqtt_published_total") > 5, 60.0, "published over TLS")
        assert failed(agent, "tls") == 0
        assert agent.stop() == 0


def test_refused_rights_are_logged_once_counted_by_reason_and_degrade_health(
    plant: Plant, make_site: MakeSite, tmp_path: Path, start_broker: Callable[[str], Broker]
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite edge_agent/plant/gw/status\ntopic write edge_agent/plant/gw/machine/+/result\n")
    acl.chmod(0o600)
    broker = start_broker(f"allow_anonymous true\nacl_file {acl}\n")
    site = make_site(PUMP + source("film", "pump_1", plant.film, 100.0, loop=True), broker.port)
    with running(site.config, site.http_port, site.log) as agent:
        publish = 'edge_agent_mqtt_refused_total{operation="publish",reason="not_authorized"}'
        wait_until(lambda: value(agent, publish) >= 2, 60.0, "refused states")
        wait_until(lambda: value(agent, "edge_agent_mqtt_published_total") > 5, 60.0, "what is allowed goes out")
        # mosquitto 2.0 grants every subscription and delivers nothing on it: the refusal of one cannot be seen with it
        assert '"name":"mqtt"' in agent.get("/healthz")[1].replace(" ", "")
        components = agent.get("/healthz")[1]
        assert "check its access list" in components
        assert value(agent, 'edge_agent_outbox_events{priority="state"}') >= 1  # kept
        assert agent.stop() == 0
    assert site.log.read_text().count("the broker refuses to publish") == 1


def test_a_wrong_password_is_counted_by_its_reason(
    plant: Plant, make_site: MakeSite, start_broker: Callable[[str], Broker]
) -> None:
    broker = start_broker("allow_anonymous false\n")
    site = make_site(PUMP + source("film", "pump_1", plant.film, 100.0), broker.port)
    with running(site.config, site.http_port, site.log) as agent:
        refused = 'edge_agent_mqtt_refused_total{operation="connect",reason="not_authorized"}'
        wait_until(lambda: value(agent, refused) >= 1, 30.0, "refused")
        assert agent.stop() == 0
    assert "Not authorized" in site.log.read_text()


def test_the_next_broker_takes_over(plant: Plant, make_site: MakeSite, start_broker: Callable[[str], Broker]) -> None:
    second = start_broker("allow_anonymous true\n")
    body = PUMP + source("film", "pump_1", plant.film, 100.0, loop=True)
    lines = f'fallback = ["127.0.0.1:{free_port()}", "127.0.0.1:{second.port}"]'
    site = with_mqtt(make_site(body, free_port()), lines)
    ear = Subscriber(second.port)
    with running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: value(agent, "edge_agent_mqtt_published_total") > 5, 60.0, "published at the third")
        assert value(agent, "edge_agent_mqtt_broker_position") == 2
        assert value(agent, "edge_agent_mqtt_failovers_total") == 1
        assert agent.stop() == 0
    time.sleep(0.1)
    assert any(each.topic.endswith("/result") for each in ear.heard)
    ear.close()
