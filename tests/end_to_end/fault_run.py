"""A run in which everything goes wrong that can, and what each metric said over all of it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.conftest import PUMP, Plant, make_site_in, source
from tests.support.agent import ROOT, Agent, running, write_sound
from tests.support.broker import Broker, free_port, wait_until
from tests.support.contract_hub import ContractHub
from tests.support.prometheus import Prometheus, prometheus

UPDATES = (
    "edge_agent_model_changes", "edge_agent_model_confirmed", "edge_agent_model_update_phase",
    "edge_agent_shadow_latency_ratio", "edge_agent_shadow_percentile_shift", "edge_agent_shadow_windows",
)  # fmt: skip
"""Families of new bundles, which a hub sends."""

needs_libfiu = pytest.mark.skipif(shutil.which("fiu-run") is None, reason="fiu-run (fiu-utils) is not installed")
RULES = ROOT / "deploy" / "prometheus" / "rules" / "edge-agent.rules.yml"
ACL = "topic readwrite #\ntopic deny edge_agent/plant/gw/machine/fan_1/result\n"
_DISK = ("posix/io/rw/pwrite*", "posix/io/sync/*", "posix/io/rw/write*")


def _differs(before: float, now: float) -> bool:
    return before != now and not math.isnan(now)


@dataclass
class Watcher:
    """Scrapes all the time, so that what rose and fell again was seen.

    Attributes:
        agent: Whom.
        server: A Prometheus that scrapes it too, with the alert rules.
        first: Every sample of the first scrape, by family and sample.
        most: The largest distance from 0 that a sample had, by family and sample.
        moved: Families of which a sample changed, or came to be.
    """

    agent: Agent
    server: Prometheus | None = None
    first: dict[str, dict[str, float]] = field(default_factory=dict)
    most: dict[str, dict[str, float]] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join(30)

    def look(self) -> dict[str, dict[str, float]]:
        """One scrape, which is remembered too."""
        _, text = self.agent.get("/metrics")
        families = {
            family.name: {f"{sample.name}{sample.labels}": sample.value for sample in family.samples}
            for family in text_string_to_metric_families(text)
            if not family.name.endswith("_created")  # the library's own: when a counter began
        }
        self.first = self.first or families
        for name, samples in families.items():
            before = self.first.get(name, {})
            if any(sample not in before or _differs(before[sample], value) for sample, value in samples.items()):
                self.moved.add(name)
            most = self.most.setdefault(name, {})
            for sample, value in samples.items():
                most[sample] = max(most.get(sample, 0.0), 0.0 if math.isnan(value) else abs(value))
        return families

    def saw(self, name: str) -> bool:
        """Whether a sample of this name was ever another than 0."""
        return any(
            value > 0
            for samples in list(self.most.values())
            for sample, value in list(samples.items())
            if sample.partition("{")[0] == name
        )

    def wait(self, *names: str, timeout_s: float = 120.0) -> None:
        """Until all of them moved."""
        for name in names:
            wait_until(lambda name=name: self.saw(f"edge_agent_{name}"), timeout_s, name)  # type: ignore[misc]  # a default of a lambda

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self.look()


class Microphone:
    """Raw samples over TCP, and silence on the line now and then."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Hang up for good."""
        self._ended.set()
        self._server.close()

    def _serve(self) -> None:
        noise = (np.random.default_rng(3).standard_normal(1600) * 1000).astype("<i2").tobytes()
        with contextlib.suppress(OSError):
            while not self._ended.is_set():
                client, _ = self._server.accept()
                with client, contextlib.suppress(OSError):
                    for _ in range(20):
                        client.sendall(noise)
                        time.sleep(0.1)


def ask(agent: Agent, path: str, body: dict[str, object]) -> int:
    """Do what the page does; the status."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{agent.http_port}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


@contextlib.contextmanager
def fault_run(plant: Plant, directory: Path) -> Iterator[Watcher]:
    """What a gateway may live through, one thing beside the other.

    Damaged files are found at the start. A pump fails, then its line is dead; it makes up most of the machines, so that
    is a plant event too. A fan is not commissioned, one machine is unknown, a recording is absent, a microphone on the
    network hangs up again and again. Of two brokers the first comes late and the second refuses one topic; the hub
    comes late and refuses one clip. A broker hangs. The computer stands still while somebody looks at the live
    spectrogram. Somebody acknowledges, asks for nonsense, labels a clip and deletes it. The disk fails for a while.
    """
    first, second = Broker(directory / "first"), Broker(directory / "second", f"acl_file {_acl(directory)}")
    hub, microphone = ContractHub(), Microphone()
    hub.instructions = hub.instructions.model_copy(update={"report_after_s": 1.0})
    dead = write_sound(directory / "dead.wav", np.zeros(16_000 * 60, np.float32))
    silent = source("film", "pump_1", plant.film, 30.0, loop=True).replace("]\nspeed", f', "{dead}"]\nspeed')
    body = (
        PUMP + '[[machine]]\nid = "fan_1"\ntype = "fan"\n' + silent
        + '[[source]]\nid = "sim"\nkind = "simulated"\nspeed = 10.0\n'
        + '[[source.channel]]\nmachine = "fan_1"\ncalibration_db = 94.0\n'
        + source("any", "auto", plant.film, 30.0)
        + '[[machine]]\nid = "pump_2"\ntype = "pump"\n'
        + source("slow", "pump_2", plant.film, 1.0, loop=True)
        + '[[machine]]\nid = "fan_2"\n'
        + source("gone", "fan_2", directory / "nothing.wav", 1.0)
        + '[[machine]]\nid = "fan_3"\n[[source]]\nid = "line"\nkind = "stream"\nrate_hz = 16000\n'
        + f'url = "tcp://127.0.0.1:{microphone.port}"\n[[source.channel]]\nmachine = "fan_3"\n'
        + "[alarms]\nfault_on_s = 1\nplant_machines = 1\nrejoin_s = 0\n"
        + hub.section(directory, "[hub.journal]\nsettle_s = 0.0")
    )  # fmt: skip
    site = make_site_in(directory, plant, body, first.port)
    text = site.config.read_text(encoding="utf-8")
    fallback = f'[mqtt]\nfallback = ["127.0.0.1:{free_port()}", "127.0.0.1:{second.port}"]\n'
    site.config.write_text(text.replace("[mqtt]\n", fallback, 1), encoding="utf-8")
    for name in ("outbox.db", "alarms.json", "sent.db"):
        (site.state / name).write_bytes(b"no such thing" * 1000)
    hub.answer_with = lambda _method, _path: (503, {}, b"")
    prefix = ("fiu-run", "-x")
    with (
        hub,
        first,
        second,
        running(site.config, site.http_port, site.log, prefix=prefix) as agent,
        prometheus(directory / "prometheus", site.http_port, RULES) as server,
        Watcher(agent, server) as run,
    ):
        agent.wait_ready()
        run.wait("mqtt_failed_total", "sync_failures_total", "outbox_events", "sync_clips_waiting")
        away = 'ALERTS{alertname="EdgeAgentBrokerUnreachable"}'
        wait_until(lambda: server.has_figures(away), 120.0, "the alert of a broker that is away")
        second.start()
        run.wait("mqtt_failovers_total", "mqtt_replayed_total", "publish_latency_seconds_count", "mqtt_refused_total")
        second.suspend()
        run.wait("mqtt_in_flight_events")
        second.resume()
        first.start()
        hub.answer_with = lambda method, path: (422, {}, b"{}") if "/records/" in path and method == "PUT" else None
        run.wait("sync_clips_set_aside")
        hub.answer_with = lambda _method, _path: None
        run.wait("alarms_raised_total", "plant_event", "restarts_total", "samples_lost_total")
        run.wait("input_fault", "input_finding", "samples_skipped_total", "clip_score_ratio_count")
        with socket.create_connection(("127.0.0.1", agent.http_port)) as viewer:
            viewer.sendall(b"GET /api/machines/pump_1/frames/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            wait_until(
                lambda: _stands_still(agent) or run.saw("edge_agent_page_frames_shed_total"), 120.0, "shed frames"
            )
        ask(agent, "/api/commands/acknowledge", {"machine": "pump_1"})
        ask(agent, "/api/commands/acknowledge", {"machine": "nobody"})
        run.wait("sync_clips_acknowledged_total", "sync_events_reconciled_total", "sync_reports_total")
        sent = next(iter(hub.kept.records))
        assert ask(agent, f"/api/clips/{sent}/label", {"label": "normal", "operator": "anna"}) == 200
        run.wait("sync_labels_total")
        assert ask(agent, f"/api/clips/{sent}/delete", {"operator": "anna"}) == 200
        run.wait("clips_removed_total")
        _disk_fails(agent, run)
        yield run
        assert agent.stop() == 0
    microphone.close()
    assert "Traceback" not in site.log.read_text()


def _stands_still(agent: Agent) -> bool:
    """The computer does nothing for a second, and the agent has to catch up; always False."""
    os.kill(agent.process.pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(agent.process.pid, signal.SIGCONT)
    time.sleep(1.0)
    return False


def _disk_fails(agent: Agent, run: Watcher) -> None:
    for name in _DISK:
        _fiu(agent, f"enable name={name}")
    run.wait("outbox_errors_total", "intake_held_events", "clips_errors_total")
    wait_until(lambda: "edge_agent_alarm_store_failures" in run.moved, 120.0, "alarms that the disk refused")
    wait_until(lambda: "it refuses" in agent.get("/healthz")[1], 60.0, "a word on the disk in /healthz")
    assert agent.get("/livez")[0] == 200  # a restart would not mend the disk
    for name in _DISK:
        _fiu(agent, f"disable name={name}")
    wait_until(lambda: "it refuses" not in agent.get("/healthz")[1], 60.0, "the disk's health")


def _fiu(agent: Agent, command: str) -> None:
    """fiu-run is a script that becomes the agent: its process is the agent's."""
    subprocess.run(["fiu-ctrl", "-c", command, str(agent.process.pid)], check=True, timeout=30)


def _acl(directory: Path) -> Path:
    path = directory / "acl"
    path.write_text(ACL)
    path.chmod(0o600)
    return path
