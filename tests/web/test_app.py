"""What the page's script is told."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, cast

import numpy as np
import pytest
from starlette.routing import BaseRoute

from edge_agent.observe.health import Health, HealthLimits, HealthReport
from edge_agent.web.app import _STATIC
from edge_agent.web.board import Band, Board, LogLine, Part, SeenWindow
from edge_agent.web.extension import Gateway
from edge_agent.web.live import _Changes
from edge_agent.web.views import MachineFacts
from tests.web.pages import Site, open_site, window


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as site:
        yield site


def test_a_machine_is_listed_before_its_first_window(site: Site) -> None:
    [machine] = site.get("/api/overview")["machines"]
    assert machine["machine"] == "pump_1"
    assert machine["facts"]["learnt"] == "calibrated"
    assert machine["last"] is None


def test_books_outbox_and_parts_are_told(site: Site) -> None:
    gateway = site.get("/api/gateway")["gateway"]
    assert gateway["ledgers"] == [
        {
            "source": "mic", "channel": 0, "captured": 100, "scored": 60, "skipped": {"low_coverage": 10},
            "lost": {"overrun": 20}, "pending": 10, "unaccounted": 0,
        }
    ]  # fmt: skip
    assert gateway["outbox"]["rows"] == {"result": 3}
    assert [part["name"] for part in gateway["components"]] == ["mic"]
    hub = gateway["hub"]
    assert (hub["answers"], hub["waiting"], hub["aside"]) == (False, 7, {"speech": 2})
    assert "cannot be reached" in hub["trouble"]


def test_a_window_is_told_with_its_explanation(site: Site) -> None:
    site.board.window(
        window(
            score=3.0, state="suspect", bands=(Band(3150.0, 0.7, 11.0),), parts=(Part("shape", 2.5, 0.7),),
            nearest=("monday.wav", 0.1), findings=("hum at 50 Hz",), percentile=float("inf"),
        )
    )  # fmt: skip
    [told] = site.get("/api/machines/pump_1")["windows"]
    assert told["bands"] == [{"centre_hz": 3150.0, "contribution": 0.7, "change_db": 11.0}]
    assert told["detectors"][0]["name"] == "shape"
    assert told["nearest"] == {"recording": "monday.wav", "distance": 0.1}
    assert told["findings"] == ["hum at 50 Hz"]
    assert told["percentile"] is None


def test_rejected_windows_are_kept_and_say_why(site: Site) -> None:
    site.board.window(window(index=1, state="rejected", why="too much of the window was lost", score=None))
    site.board.window(window(index=2))
    windows = site.get("/api/machines/pump_1")["windows"]
    assert [each["state"] for each in windows] == ["normal", "rejected"]
    assert site.get("/api/machines/pump_1/history")["score"] == [None, 0.5]


@pytest.mark.parametrize(
    "path", ["/api/machines/none", "/api/machines/none/history", "/static/none.js", "/static/..%2fapp.py"]
)
def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    assert site.ask(path)[0] == 404


def test_a_time_that_is_none_is_refused(site: Site) -> None:
    site.board.window(window())
    assert site.ask("/api/machines/pump_1/history?since_s=yesterday")[0] == 400


def test_every_file_of_the_page_is_served_and_asks_nobody_else(site: Site) -> None:
    shipped = {item.name for item in (resources.files("edge_agent.web") / "static").iterdir()}
    assert shipped == {*_STATIC, "index.html", "login.html"}
    for name in [*(f"/static/{name}" for name in _STATIC), "/"]:
        status, headers, body = site.ask(name)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert b"https://" not in body
        assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"")


def test_changes_come_by_themselves(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=10)
    connection.request("GET", "/api/live")
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")

    def told() -> dict[str, Any]:
        while not (line := answer.readline()).startswith(b"data: "):
            pass
        return json.loads(line[6:])

    first = told()
    assert (first["now_s"], [part["name"] for part in first["parts"]]) == (1000.0, ["mic"])
    site.board.window(window(score=np.float32(1.5)))
    site.board.line(LogLine(1.0, "info", "source mic is up"))
    changes = told()
    assert [(card["machine"], card["score"]) for card in changes["machines"]] == [("pump_1", 1.5)]
    assert changes["log"][0]["text"] == "source mic is up"
    connection.close()


def test_only_so_many_pages_are_kept_open(site: Site) -> None:
    connections = []
    for _ in range(12):
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=10)
        connection.request("GET", "/api/live")
        assert connection.getresponse().status == 200
        connections.append(connection)
    assert site.ask("/api/live")[0] == 503
    for connection in connections:
        connection.close()


def test_an_open_stream_ends_with_the_server(caplog: pytest.LogCaptureFixture) -> None:
    with open_site() as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=10)
        connection.request("GET", "/api/live")
        answer = connection.getresponse()
        answer.readline()
    assert b"parts" not in answer.read()
    assert not caplog.records
    connection.close()


class Slow:
    """A part of the agent that makes whoever asks it wait."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def routes(self) -> list[BaseRoute]:
        return []

    def changes(self, seen: dict[str, int]) -> dict[str, Any]:
        self.asked.set()
        self.go_on.wait(30.0)
        return {}


def test_a_part_that_waits_holds_up_its_watcher_alone() -> None:
    slow = Slow()
    with open_site(extensions=(slow,)) as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=10)
        connection.request("GET", "/api/live")
        assert slow.asked.wait(10.0)
        assert site.get("/api/gateway")["gateway"]["site"] == "plant"
        slow.go_on.set()
        connection.close()


def test_a_page_is_told_the_time_though_nothing_happens(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.web.live._WORD_EVERY_TICKS", 2)
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=20)
    connection.request("GET", "/api/live")
    lines, told = connection.getresponse(), []
    while len(told) < 2:
        if (line := lines.readline()).startswith(b"data: "):
            told.append(json.loads(line[6:]))
    assert told[1] == {"now_s": 1000.0}
    connection.close()


def test_no_window_is_missed_between_two_looks() -> None:
    board = Board(("pump_1", "fan_1"))
    changes = _Changes(board, cast(Gateway, _Now()), ())
    changes.take()
    really = board.newest

    def newest(after: int = 0) -> Mapping[str, SeenWindow | None]:
        found = really(after)
        board.newest = really  # type: ignore[method-assign]
        board.window(window("fan_1"))  # while it looks
        return found

    board.window(window("pump_1"))
    board.newest = newest  # type: ignore[method-assign]
    assert [card["machine"] for card in changes.take()["machines"]] == ["pump_1"]
    assert [card["machine"] for card in changes.take()["machines"]] == ["fan_1"]


class _Now:
    def now(self) -> tuple[float, HealthReport]:
        return 1000.0, Health(HealthLimits()).report(now_s=0.0)

    def machines(self) -> tuple[MachineFacts, ...]:
        return ()


def test_what_the_outbox_gave_up_is_told(site: Site) -> None:
    gateway = site.get("/api/gateway")["gateway"]
    assert (gateway["outbox"]["dropped"], gateway["outbox"]["errors"]) == ({"result": 7}, {"disk_full": 2})
    assert gateway["broker"]["refused"] == {"publish: not authorised": 3}


def test_profiles_and_machines_that_change_are_told() -> None:
    facts = [MachineFacts("pump_1", "pump", "mic", None)]

    class Gateway(_Now):
        def machines(self) -> tuple[MachineFacts, ...]:
            return tables[-1]

    tables = [tuple(facts)]
    changes = _Changes(Board(("pump_1",)), cast(Any, Gateway()), ())
    assert "facts" not in changes.take()
    tables.append((MachineFacts("pump_1", "pump", "mic", "calibrated"),))
    assert [each["learnt"] for each in changes.take()["facts"]] == ["calibrated"]
    assert "facts" not in changes.take()
