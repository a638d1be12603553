"""Frames as they are computed: for who looks, when they look, and first to give way."""

import base64
import http.client
import json
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from edge_agent.web.board import Board
from edge_agent.web.live_frames import LiveFrames, Place
from edge_agent.web.spectrogram import SpectrogramPages
from tests.support.broker import wait_until
from tests.web.pages import Site, open_site, window

MIC: Place = ("mic", 0)
FRAMES = np.full((32, 128), -60.0, np.float32)


class Scorer:
    """Gives frames, and is behind when told."""

    def __init__(self) -> None:
        self.behind = False
        self.asked = 0
        self.shed: Counter[str] = Counter()
        self.frames = LiveFrames(self._is_behind, lambda cause, frames: self.shed.update({cause: frames}))

    def _is_behind(self) -> bool:
        self.asked += 1
        return self.behind


@pytest.fixture
def scorer() -> Scorer:
    return Scorer()


def test_nothing_is_done_for_a_channel_that_nobody_looks_at(scorer: Scorer) -> None:
    with scorer.frames.watched(("mic", 1)) as other:
        scorer.frames.give("mic", 0, 0, FRAMES)
        assert other.take() == []
    assert (scorer.asked, scorer.shed) == (0, Counter())


def test_every_viewer_gets_every_frame_in_order(scorer: Scorer) -> None:
    with scorer.frames.watched(MIC) as one, scorer.frames.watched(MIC) as two:
        for first in (0, 32, 64):
            scorer.frames.give("mic", 0, first, FRAMES)
        assert scorer.frames.viewers == 2
        for viewer in (one, two):
            assert [frames.first for frames in viewer.take()] == [0, 32, 64]
            assert viewer.take() == []
    assert scorer.frames.viewers == 0


def test_a_scorer_that_is_behind_sheds_them_and_counts(scorer: Scorer) -> None:
    with scorer.frames.watched(MIC) as viewer:
        scorer.behind = True
        scorer.frames.give("mic", 0, 0, FRAMES)
        scorer.behind = False
        scorer.frames.give("mic", 0, 32, FRAMES)
        assert [frames.first for frames in viewer.take()] == [32]
    assert scorer.shed == {"behind": 32}


def test_a_viewer_that_fetches_nothing_loses_the_oldest_and_holds_up_nobody(scorer: Scorer) -> None:
    with scorer.frames.watched(MIC) as viewer:
        for index in range(70):
            scorer.frames.give("mic", 0, 32 * index, FRAMES)
        assert [frames.first for frames in viewer.take()] == [32 * index for index in range(6, 70)]
    assert scorer.shed == {"slow_viewer": 6 * 32}


@pytest.fixture
def site(scorer: Scorer) -> Iterator[Site]:
    board = Board(("pump_1",))
    pages = SpectrogramPages(board, scorer.frames, {"pump_1": MIC}.get)
    with open_site(extensions=(pages,), board=board) as site:
        yield site


def test_the_last_minute_is_a_byte_for_each_band_and_frame(site: Site) -> None:
    assert site.ask("/api/machines/pump_1/frames")[2] == b""
    for index in range(8):
        site.board.window(window(index=index))
    status, headers, body = site.ask("/api/machines/pump_1/frames")
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    assert body == bytes([170]) * (6 * 312 * 128)  # -40 dB of -120 to 0
    assert site.ask("/api/machines/none/frames")[0] == 404


def _stream(site: Site, machine: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=10)
    connection.request("GET", f"/api/machines/{machine}/frames/live")
    return connection, connection.getresponse()


def test_frames_are_streamed_while_somebody_looks(site: Site, scorer: Scorer) -> None:
    connection, answer = _stream(site, "pump_1")
    assert answer.headers["content-type"].startswith("text/event-stream")
    wait_until(lambda: scorer.frames.viewers == 1, what="a viewer")
    scorer.frames.give("mic", 0, 320, FRAMES)
    line = b""
    while not line.startswith(b"data:"):
        line = answer.readline()
    [group] = json.loads(line[5:])
    assert group["first"] == 320
    assert base64.b64decode(group["levels"]) == bytes([128]) * (32 * 128)
    answer.close()
    connection.close()
    wait_until(lambda: scorer.frames.viewers == 0, what="nobody who looks")


def test_a_machine_routed_by_its_sound_is_looked_at_where_it_was_heard_last(site: Site, scorer: Scorer) -> None:
    assert site.ask("/api/machines/fan_1/frames/live")[0] == 404
    site.board.window(window("fan_1", source="hall", channel=3))
    connection, _ = _stream(site, "fan_1")
    wait_until(lambda: scorer.frames.viewers == 1, what="a viewer")
    scorer.behind = True
    scorer.frames.give("hall", 3, 0, FRAMES)
    assert scorer.shed == {"behind": 32}
    connection.close()


def test_there_is_an_end_to_viewers(site: Site) -> None:
    streams = [_stream(site, "pump_1") for _ in range(8)]
    wait_until(lambda: site.ask("/api/machines/pump_1/frames/live")[0] == 503, what="a refusal")
    for connection, _ in streams:
        connection.close()
