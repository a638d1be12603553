"""A page over a real socket, fed by hand."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge_agent.observe.health import Health, HealthLimits, Kind
from edge_agent.observe.http import HttpServer
from edge_agent.observe.readings import DeliveryReading, LedgerReading, OutboxReading, SyncReading
from edge_agent.web.app import PageParts, create_app
from edge_agent.web.board import Board, SeenWindow
from edge_agent.web.extension import Extension
from edge_agent.web.gateway import AgentGateway
from edge_agent.web.views import MachineFacts


def window(machine: str = "pump_1", index: int = 0, **changes: object) -> SeenWindow:
    """One window of a machine, normal unless told otherwise."""
    values = {
        "source": "mic", "channel": 0, "start_s": 1000.0 + 10 * index, "end_s": 1010.0 + 10 * index, "state": "normal",
        "why": f"{machine} sounds normal", "coverage": 1.0, "score": 0.5, "threshold": 2.0, "percentile": 60.0,
        "level_dbfs": -30.0, "log_mel_db": np.full((312, 128), -40.0, np.float32),
    }  # fmt: skip
    return SeenWindow(machine=machine, index=index, **{**values, **changes})


SYNC = SyncReading(
    answers=False, trouble="https://hub:8400 cannot be reached", clips=12, files=11, sent_bytes=900, labels_sent=0,
    labels_taken=0, reports=3, failures=(("away", 2),), last_success_s=990.0, waiting=7, waiting_bytes=2_100_000,
    aside=(("speech", 2), ("refused", 0)), events_there=5, events_sent=4, events_refused=0, events_waiting=9,
    journal_bytes=5000, journal_held=0, journal_lost=(),
)  # fmt: skip


class Site:
    """A gateway with one machine on one microphone."""

    def __init__(
        self, token: str | None = None, extensions: tuple[Extension, ...] = (), board: Board | None = None
    ) -> None:
        self.board = Board(("pump_1",)) if board is None else board
        self.health = Health(HealthLimits())
        self.health.register("mic", Kind.SOURCE, now_s=0.0)
        gateway = AgentGateway(
            site="plant", gateway="gw", version="1.2.3", bundle=lambda: ("default", "0.1", "ab" * 32), started_s=900.0,
            now_s=lambda: 1000.0, clock_synced=lambda: True, health=lambda: self.health.report(now_s=1.0),
            ledgers=lambda: [LedgerReading("mic", 0, 100, 60, (("low_coverage", 10),), (("overrun", 20),), 10)],
            facts=lambda: (MachineFacts("pump_1", "pump", "mic", "calibrated"),),
            outbox=lambda: OutboxReading(
                (("result", 3),), 900, 5, (("result", 7), ("alarm", 0)), (("disk_full", 2),), 0, 4.0
            ),
            delivery=lambda: DeliveryReading(True, 1, 2, 0, (), 0, (("publish", "not authorised", 3),)),
            sync=lambda: SYNC,
        )  # fmt: skip
        self.server = HttpServer(create_app([], token=token, page=PageParts(self.board, gateway, extensions)), port=0)

    def ask(
        self, path: str, method: str = "GET", body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        content = None if body is None else json.dumps(body)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, content, {**sent, **(headers or {})})
        response = connection.getresponse()
        answer = response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
        connection.close()
        return answer

    def get(self, path: str) -> dict[str, Any]:
        """JSON of a page that must be there."""
        status, _, body = self.ask(path)
        assert status == 200, body
        return json.loads(body)


@contextmanager
def open_site(
    token: str | None = None, extensions: tuple[Extension, ...] = (), board: Board | None = None
) -> Iterator[Site]:
    """A site that is closed at the end of the block."""
    site = Site(token, extensions, board)
    site.server.start()
    try:
        yield site
    finally:
        assert site.server.stop()
