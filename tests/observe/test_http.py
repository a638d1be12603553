"""The endpoints over a real socket."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_agent.observe import connections
from edge_agent.observe.connections import MAX_CONNECTIONS
from edge_agent.observe.errors import ObserveError
from edge_agent.observe.health import Health, HealthLimits, HealthReport, Kind
from edge_agent.observe.http import HttpServer, endpoints
from edge_agent.observe.threaded import AT_ONCE
from tests.observe.scrape import moved
from tests.support.broker import wait_until


def _app(registry: CollectorRegistry, report: Callable[[], HealthReport]) -> Starlette:
    return Starlette(routes=endpoints(registry, report))


class Agent:
    def __init__(self) -> None:
        self.health = Health(HealthLimits())
        self.now_s = 0.0
        self.server = HttpServer(
            Starlette(routes=endpoints(moved(), lambda: self.health.report(now_s=self.now_s))), port=0
        )
        self.server.start()

    def get(self, path: str, accept: str = "", method: str = "GET") -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        connection.request(method, path, headers={"Accept": accept} if accept else {})
        response = connection.getresponse()
        answer = response.status, response.headers["Content-Type"] or "", response.read()
        connection.close()
        return answer


@pytest.fixture
def agent() -> Iterator[Agent]:
    started = Agent()
    yield started
    assert started.server.stop()


def test_metrics_are_given_in_the_form_that_is_asked_for(agent: Agent) -> None:
    status, content_type, body = agent.get("/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"edge_agent_samples_captured_total" in body
    _, content_type, body = agent.get("/metrics", "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


def test_the_answers_follow_the_scored_windows(agent: Agent) -> None:
    assert agent.get("/livez")[::2] == (200, b"ok\n")
    assert agent.get("/readyz")[0] == 503
    agent.health.register("mic", Kind.SOURCE, now_s=0.0)
    agent.health.bundle_verified("base 1", self_test_passed=True)
    agent.health.audio("mic", 1.0, now_s=0.0)
    assert agent.get("/readyz")[::2] == (200, b"ok\n")
    assert agent.get("/healthz")[0] == 200
    agent.health.audio("mic", 60.0, now_s=1.0)
    status, _, body = agent.get("/livez")
    assert status == 503
    assert b"mic" in body
    agent.health.window("mic", now_s=1.0)
    assert agent.get("/livez")[0] == 200
    agent.now_s = 100.0
    assert agent.get("/readyz")[::2] == (503, b"none of 1 sources is up\n")


def test_healthz_tells_of_every_component(agent: Agent) -> None:
    agent.health.register("mic", Kind.SOURCE, now_s=0.0)
    agent.health.register("mqtt", Kind.SINK, now_s=0.0)
    agent.health.down("mqtt", "no broker")
    agent.now_s = 1.0
    status, content_type, body = agent.get("/healthz")
    health = json.loads(body)
    assert (status, content_type) == (503, "application/json")
    assert health["live"]["ok"] is True
    assert {each["name"]: (each["state"], each["detail"]) for each in health["components"]} == {
        "mic": ("starting", "waiting for its first sign of life"),
        "mqtt": ("down", "no broker"),
    }


def test_what_is_not_there_is_not_found_and_nothing_can_be_written(agent: Agent) -> None:
    assert agent.get("/../etc/passwd")[0] == 404
    assert agent.get("/metrics", method="POST")[0] == 405


def test_garbage_on_the_socket_stops_nothing(agent: Agent) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00", b"GET /livez HTTP/9.9\r\n\r\n", b"A" * 100_000):
        with socket.create_connection(("127.0.0.1", agent.server.port), timeout=5) as client:
            client.sendall(garbage)
    assert agent.get("/livez")[0] == 200


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", "openmetrics"),
        ("text/plain;version=0.0.4;q=0.5, application/openmetrics-text", "openmetrics"),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", "plain"),
        ("application/openmetrics-text;q=0", "plain"),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "plain"),
        ("application/openmetrics-text; version=x", "plain"),
        ("application/openmetrics-text; version=99.0.0", "plain"),
        ("application/openmetrics-text;q=nan,text/plain;q=1e9", "plain"),
        ("text/html", "plain"),
        (";,=;q=;;,\xff", "plain"),
        ("a" * 20_000, "plain"),
    ],
)
def test_the_form_is_that_which_is_wanted_most(agent: Agent, accept: str, form: str) -> None:
    status, content_type, body = agent.get("/metrics", accept)
    versions = {"openmetrics": "application/openmetrics-text; version=1.0.0", "plain": "text/plain; version=0.0.4"}
    assert (status, content_type) == (200, f"{versions[form]}; charset=utf-8")
    assert body.endswith(b"# EOF\n") is (form == "openmetrics")


def test_metrics_are_packed_for_who_takes_gzip(agent: Agent) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{agent.server.port}/metrics")
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.headers["Content-Encoding"] is None
        plain = response.read()
    request.add_header("Accept-Encoding", "gzip")
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        small = response.read()
    assert len(small) < len(plain) / 5
    names = [
        [line.partition(b" ")[0] for line in text.splitlines() if not line.startswith(b"#")]
        for text in (plain, gzip.decompress(small))
    ]
    assert names[0] == names[1]


def test_many_who_ask_at_once_are_all_answered_a_few_at_a_time() -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def report() -> HealthReport:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.002)
        with lock:
            at_once -= 1
        return Health(HealthLimits()).report(now_s=0.0)

    server = HttpServer(_app(CollectorRegistry(), report), port=0)
    server.start()
    answers: list[int] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", "/livez")
        answers.append(connection.getresponse().status)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert server.stop(timeout_s=30)
    assert answers == [200] * 200
    assert 1 < most <= AT_ONCE


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-", b"GET / HTTP/1.1\r\n"])
def test_who_holds_connections_open_keeps_nobody_out(agent: Agent, said: bytes) -> None:
    held = []
    for _ in range(MAX_CONNECTIONS + 20):
        client = socket.create_connection(("127.0.0.1", agent.server.port), timeout=30)
        client.sendall(said)
        held.append(client)
    assert [agent.get(path)[0] for path in ("/livez", "/metrics", "/livez")] == [200, 200, 200]
    for client in held:
        client.close()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-",
        b"POST /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx",
    ],
    ids=["nothing", "half a request", "half a body"],
)
def test_who_does_not_ask_to_the_end_is_shown_out(agent: Agent, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_WITHIN_S", 0.3)
    with socket.create_connection(("127.0.0.1", agent.server.port), timeout=30) as client:
        client.sendall(said)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65_536):  # until the other end is closed
                pass


def test_an_answer_that_is_not_taken_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_TAKEN_WITHIN_S", 0.3)

    async def much(_request: Request) -> Response:
        return Response(b"x" * 50_000_000)

    server = HttpServer(Starlette(routes=[Route("/", much)]), port=0)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_until(lambda: not server.open_connections, 30.0, "the end of the connection")
    assert server.stop()


def test_what_strangers_send_fills_no_log(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    for garbage in (
        b"\x00" * 1000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\nHost: a\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", agent.server.port), timeout=5) as client:
            client.sendall(garbage)
            assert client.recv(10)
    assert caplog.records == []


def test_a_taken_port_is_named_with_the_mend(agent: Agent) -> None:
    app = _app(CollectorRegistry(), lambda: agent.health.report(now_s=0.0))
    with pytest.raises(ObserveError, match=rf"127\.0\.0\.1:{agent.server.port}: Address already in use; free the port"):
        HttpServer(app, port=agent.server.port)


def test_a_foreign_address_is_named(agent: Agent) -> None:
    app = _app(CollectorRegistry(), lambda: agent.health.report(now_s=0.0))
    with pytest.raises(ObserveError, match=r"192\.0\.2\.1"):
        HttpServer(app, host="192.0.2.1", port=0)


def test_a_stopped_server_frees_its_port() -> None:
    agent = Agent()
    port = agent.server.port
    agent.get("/livez")
    begin_s = time.monotonic()
    assert agent.server.stop()
    assert time.monotonic() - begin_s < 3
    again = HttpServer(_app(CollectorRegistry(), lambda: agent.health.report(now_s=0.0)), port=port)
    assert again.port == port
    again.stop()


def test_an_answer_that_hangs_stops_neither_another_nor_the_end() -> None:
    asked, let_go = threading.Event(), threading.Event()

    def hangs() -> HealthReport:
        asked.set()
        let_go.wait()
        raise OSError("the disk is gone")

    server = HttpServer(_app(CollectorRegistry(), hangs), port=0)
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        assert asked.wait(30)
        other = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        other.request("GET", "/metrics")
        assert other.getresponse().status == 200
        other.close()
        assert server.stop(timeout_s=30)
        hanging = [thread for thread in threading.enumerate() if thread.name == "http-answer"]
        assert hanging
        assert all(thread.daemon for thread in hanging)
    finally:
        let_go.set()
        connection.close()
    for thread in hanging:
        thread.join(30)
        assert not thread.is_alive()


def test_an_answer_that_fails_is_an_error_to_who_asked() -> None:
    def fails() -> HealthReport:
        raise OSError("the disk is gone")

    server = HttpServer(_app(CollectorRegistry(), fails), port=0)
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 500
    finally:
        connection.close()
        assert server.stop(timeout_s=30)


def test_a_server_that_nobody_asks_does_nothing() -> None:
    others = _switches_of_threads().keys()  # threads that former tests left
    agent = Agent()
    agent.get("/livez")
    before = _switches_of_threads()
    time.sleep(1)
    now = {task: switches for task, switches in _switches_of_threads().items() if task not in others}
    assert now
    assert max(switches - before.get(task, switches) for task, switches in now.items()) <= 2
    assert agent.server.stop()


def _switches_of_threads() -> dict[str, int]:
    """How often each thread of this process but the caller's own began to wait."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != threading.get_native_id():
            said = (task / "status").read_text()
            found[task.name] = int(said.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys, edge_agent.observe.http; "
        "print(sorted({'numpy','websockets','httptools','uvloop','jinja2','pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == b"[]\n"
