"""The daemon on a real broker: what is captured is heard by a subscriber, once, whatever happens to either."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edge_agent.delivery.schema import SCHEMA_DIRECTORY
from tests.end_to_end.conftest import PUMP, MakeSite, Plant, source
from tests.support.agent import Agent, Shell, running, tree
from tests.support.broker import Broker, free_port, needs_mosquitto, wait_until
from tests.support.ear import Ear, listening, needs_mosquitto_sub
from tests.support.plant import FAILING_S, FILM_S, HEALTHY_S, RATE_HZ

pytestmark = [pytest.mark.end_to_end, needs_mosquitto, needs_mosquitto_sub]

WINDOWS = int(FILM_S / 10)
SCHEMAS = {
    path.stem: Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))
    for path in SCHEMA_DIRECTORY.glob("*.json")
}


def _metric(agent: Agent, name: str, labels: str) -> float:
    _, text = agent.get("/metrics")
    found = re.search(rf"^{re.escape(name)}\{{{re.escape(labels)}\}} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else float("nan")


def _wait_results(ear: Ear, count: int, timeout_s: float = 60.0) -> None:
    wait_until(lambda: len(ear.letters("/result")) >= count, timeout_s, f"{count} results")


def _kind(event: dict[str, object]) -> str:
    return str(event["type"]).split(".")[1]


def test_a_pump_fails_and_is_mended(plant: Plant, broker: Broker, make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(PUMP + source("film", "pump_1", plant.film, 100.0), broker.port)
    with listening(broker, tmp_path / "heard") as ear, running(site.config, site.http_port, site.log) as agent:
        _wait_results(ear, WINDOWS)
        where = 'channel="0",source="film"'
        wait_until(lambda: _metric(agent, "edge_agent_samples_pending", where) == 0, what="the books closed")
        scored = _metric(agent, "edge_agent_samples_scored_total", where)
        assert _metric(agent, "edge_agent_samples_captured_total", where) == scored == FILM_S * RATE_HZ
        assert agent.stop() == 0

        for letter in ear.letters():
            kind = _kind(letter.event)
            SCHEMAS[kind].validate(letter.event)
        ids = Counter(letter.event["id"] for letter in ear.letters() if not letter.topic.endswith("/status"))
        assert set(ids.values()) == {1}

        results = [letter.data for letter in ear.letters("edge_agent/plant/gw/machine/pump_1/result")]
        starts = [result["window_start"] for result in results]
        assert len(results) == WINDOWS
        assert starts == sorted(set(starts))
        assert sum(result["window_s"] for result in results) * RATE_HZ == scored
        first, last = int(HEALTHY_S / 10), int((HEALTHY_S + FAILING_S) / 10)
        assert all(result["anomaly"]["score"] >= result["anomaly"]["threshold"] for result in results[first:last])
        assert results[0]["state"] == "normal"
        assert results[last - 1]["state"] == "alarm"
        assert results[-1]["state"] == "normal"

        told = [letter.data for letter in ear.letters("/machine/pump_1/alarm")]
        assert any(alarm.get("clip") for alarm in told)
        alarms = [alarm for alarm in told if alarm["change"] != "update"]
        raised, cleared = alarms[0], alarms[-1]
        assert {alarm["change"] for alarm in alarms[1:-1]} <= {"step_up"}
        assert (raised["state"], cleared["state"]) == ("unacknowledged", "returned_unacknowledged")
        assert raised["alarm"] == cleared["alarm"] == results[last - 1]["alarm"]["id"]
        assert raised["raised_at"] == starts[first + 2]  # three of five
        assert results[-1]["alarm"]["state"] == "returned_unacknowledged"
        zones = [letter.data["zone"] for letter in ear.letters("/machine/pump_1/health")]
        assert zones[0] == "A"
        assert len(set(zones)) > 1
        states = [letter.data["state"] for letter in ear.letters("/source/film/state")]
        assert states[0] == "starting" or states[0] == "up"
        assert states[-1] == "down"
        status = [(letter.data["state"], letter.data["reason"]) for letter in ear.letters("/status")]
        assert status == [("online", "connected"), ("offline", "stopped")]


def test_what_was_captured_is_handed_over_on_sigterm(
    plant: Plant, broker: Broker, make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(PUMP + source("film", "pump_1", plant.film, 300.0, loop=True), broker.port)
    with listening(broker, tmp_path / "heard") as ear, running(site.config, site.http_port, site.log) as agent:
        _wait_results(ear, 5)
        assert agent.stop() == 0
        wait_until(lambda: len(ear.letters("/status")) == 2, what="the goodbye")
        results = [letter.data["window_start"] for letter in ear.letters("/result")]
        assert len(results) == len(set(results))
        assert "did not stop in time" not in site.log.read_text()
        assert "Traceback" not in site.log.read_text()
    with listening(broker, tmp_path / "later") as ear, running(site.config, site.http_port, site.log) as agent:
        _wait_results(ear, 1)  # the next life begins where nothing is left over
        assert ear.letters("/result")[0].data["replayed"] is False


def test_a_broker_that_is_not_there_stops_nothing_and_kill_9_loses_nothing(
    plant: Plant, broker: Broker, make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(PUMP + source("film", "pump_1", plant.film, 100.0), broker.port)
    broker.kill()
    with running(site.config, site.http_port, site.log) as agent:
        name, where = "edge_agent_outbox_events", 'priority="result"'
        wait_until(lambda: _metric(agent, name, where) == WINDOWS, 60.0, "all results in the outbox")
        assert agent.get("/livez") == (200, "ok\n")
        agent.kill()
    broker.start()
    quiet = make_site(PUMP, broker.port)
    with listening(broker, tmp_path / "heard") as ear, running(quiet.config, quiet.http_port, site.log) as agent:
        _wait_results(ear, WINDOWS)
        assert agent.stop() == 0
        results = ear.letters("/result")
        assert len({letter.event["id"] for letter in results}) == len(results) == WINDOWS
        assert all(letter.data["replayed"] for letter in results)
        alarms = [letter.data for letter in ear.letters("/alarm")]
        steps = [alarm["state"] for alarm in alarms if alarm["change"] not in ("step_up", "update")]
        assert steps == ["unacknowledged", "returned_unacknowledged"]
        assert alarms[-1]["state"] == "returned_unacknowledged"  # told again, for it was killed


def test_the_will_is_spoken_for_an_agent_that_was_killed(
    plant: Plant, broker: Broker, make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(PUMP + source("film", "pump_1", plant.film, 1.0), broker.port)
    with listening(broker, tmp_path / "heard") as ear, running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: bool(ear.letters("/status")), what="the birth")
        agent.kill()
        wait_until(lambda: len(ear.letters("/status")) == 2, 30.0, "the will")
        assert [letter.data["reason"] for letter in ear.letters("/status")] == ["connected", "lost"]


REFUSED = {
    "a port in use": "cannot listen on 127.0.0.1:",
    "a state directory below a file": "cannot be made",
    "a profile of another prior": "commission the machine again",
    "a bundle with one flipped byte": "encoder.tflite",
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_daemon_refuses(
    case: str, plant: Plant, make_site: MakeSite, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import socket
    from dataclasses import replace

    from edge_agent.detection.profile import Profile
    from tests.support.agent import BUNDLE, copy_bundle

    site = make_site(PUMP + source("film", "pump_1", plant.film, 1.0), free_port())
    text = site.config.read_text(encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if case == "a port in use":
            port = f"[http]\nport = {taken.getsockname()[1]}"
            text = text.replace(f"[http]\nport = {site.http_port}", port)
        elif case == "a state directory below a file":
            text = text.replace(str(site.state), f"{plant.film}/state")
        elif case == "a profile of another prior":
            file = site.state / "profiles" / "pump_1.npz"
            replace(Profile.load(file), prior_digest="0" * 64).save(file)
        else:
            bundle = copy_bundle(tmp_path / "bundle")
            content = bytearray((bundle / "encoder.tflite").read_bytes())
            content[1000] ^= 1
            (bundle / "encoder.tflite").write_bytes(content)
            text = text.replace(f"{BUNDLE}/", f"{bundle}/")
        site.config.write_text(text, encoding="utf-8")
        before = tree(site.state)
        done = Shell(capfd)("run", "--config", site.config)
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith("edge-agent: ")
    assert REFUSED[case] in line
    assert tree(site.state) == before


def test_two_agents_on_one_state_directory(
    plant: Plant, broker: Broker, make_site: MakeSite, capfd: pytest.CaptureFixture[str]
) -> None:
    site = make_site(PUMP + source("film", "pump_1", plant.film, 1.0), broker.port)
    with running(site.config, site.http_port, site.log) as agent:
        agent.wait_ready()
        config = site.config.with_name("other.toml")
        config.write_text(
            site.config.read_text(encoding="utf-8").replace(f"port = {site.http_port}", f"port = {free_port()}"),
            encoding="utf-8",
        )
        done = Shell(capfd)("run", "--config", config)
        assert done.status == 1
        (line,) = done.err.splitlines()
        assert "outbox.db" in line


def test_a_device_that_does_not_exist_stops_no_other_source(plant: Plant, make_site: MakeSite, tmp_path: Path) -> None:
    microphone = (
        '[[machine]]\nid = "fan_1"\n[[source]]\nid = "mic"\nkind = "microphone"\ndevice = "usb:9-9.9"\n'
        '[[source.channel]]\nmachine = "fan_1"\n'
    )
    gone = source("gone", "fan_2", tmp_path / "nothing.wav", 1.0)
    body = PUMP + '[[machine]]\nid = "fan_2"\n' + microphone + gone + source("film", "pump_1", plant.film, 100.0)
    site = make_site(body, None)
    with running(site.config, site.http_port, site.log) as agent:
        where = 'channel="0",source="film"'
        wait_until(
            lambda: _metric(agent, "edge_agent_samples_scored_total", where) == FILM_S * RATE_HZ, 60.0, "the film"
        )
        wait_until(lambda: agent.get("/readyz")[0] == 503, what="the end of the film")
        status, body = agent.get("/healthz")
        assert status == 503  # every source is down by now, the film's because it has ended
        components = {component["name"]: component for component in json.loads(body)["components"]}
        assert components["mic"]["state"] == components["gone"]["state"] == "down"
        assert "usb:9-9.9" in components["mic"]["detail"]
        assert "nothing.wav" in components["gone"]["detail"]
        assert agent.stop() == 0
    log = site.log.read_text()
    assert "Traceback" not in log
    assert len(re.findall("source mic is down", log)) == 1
