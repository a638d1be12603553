"""Sources that come and go, and listeners that change, while the engine runs."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.agent.hearing.engine import Engine
from edge_agent.agent.hearing.plan import ChannelPlan, SourcePlan
from edge_agent.capture.block_queue import Arrival
from edge_agent.capture.clock import VirtualClock
from edge_agent.capture.source import Block
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.listener import Heard, MachineState
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.settings import SignalSettings
from tests.support.bundles import tiny_encoder

RATE_HZ = 16_000
WINDOW = int(2.1 * RATE_HZ)
NOISE = (np.random.default_rng(3).standard_normal((3 * WINDOW, 1)) * 0.1).astype(np.float32)


class Ear:
    def __init__(self) -> None:
        self.windows: list[int] = []

    def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
        self.windows.append(window.index)
        return Heard("m", None, None, MachineState.NORMAL, None)


def plan(ear: Ear) -> SourcePlan:
    return SourcePlan((ChannelPlan(0, ear),), stamped_by_arrival=False)


@pytest.fixture
def first() -> Ear:
    return Ear()


@pytest.fixture
def engine(first: Ear) -> Engine:
    return Engine(
        Analyser(tiny_encoder()),
        settings=SignalSettings(),
        shape=WindowShape(2.1, 2.1),
        policy=ScorePolicy(window_s=2.1),
        sources={"mic": plan(first)},
        clock=VirtualClock(),
    )


def hear(engine: Engine, source: str, start: int, stop: int) -> None:
    engine.accept(Arrival(source, RATE_HZ, Block(NOISE[start:stop], start), 0))
    list(engine.drain())


def test_other_listeners_in_the_middle_of_a_window_lose_and_repeat_none(engine: Engine, first: Ear) -> None:
    second = Ear()
    hear(engine, "mic", 0, WINDOW + WINDOW // 2)
    engine.listen("mic", plan(second))
    hear(engine, "mic", WINDOW + WINDOW // 2, 3 * WINDOW)
    assert (first.windows, second.windows[:1]) == ([0], [1])  # the window under way is heard whole, by the new one
    (books,) = engine.ledgers()
    assert books.captured == 3 * WINDOW and sum(books.lost.values()) == 0 and books.balance == 0


def test_listeners_may_change_before_the_source_has_given_anything(engine: Engine, first: Ear) -> None:
    second = Ear()
    engine.listen("mic", plan(second))
    hear(engine, "mic", 0, 2 * WINDOW)
    assert first.windows == [] and second.windows[:1] == [0]


def test_a_source_that_goes_takes_its_books_and_leaves_the_others_alone(engine: Engine, first: Ear) -> None:
    guest = Ear()
    engine.add("guest", plan(guest))
    hear(engine, "mic", 0, WINDOW // 2)
    hear(engine, "guest", 0, 2 * WINDOW)
    engine.accept(Arrival("guest", RATE_HZ, None, 0))
    assert engine.ended("guest") and not engine.ended("mic")
    engine.remove("guest")
    assert not engine.hears("guest") and engine.hears("mic")
    assert [books.source for books in engine.ledgers()] == ["mic"]
    hear(engine, "mic", WINDOW // 2, 2 * WINDOW)
    assert first.windows[:1] == [0]
    assert engine.ledgers()[0].captured == 2 * WINDOW


def test_a_source_that_comes_back_under_its_name_begins_at_0(engine: Engine) -> None:
    hear(engine, "mic", 0, 2 * WINDOW)
    engine.remove("mic")
    again = Ear()
    engine.add("mic", plan(again))
    hear(engine, "mic", 0, WINDOW + 2048)
    assert again.windows == [0]
    (books,) = engine.ledgers()
    assert books.captured == WINDOW + 2048 and books.balance == 0


def two(*indices: int) -> SourcePlan:
    return SourcePlan(tuple(ChannelPlan(index, Ear()) for index in indices), stamped_by_arrival=False)


STEREO = np.concatenate([NOISE, NOISE], axis=1)


def test_a_channel_that_comes_to_a_running_device_takes_nothing_from_the_other(engine: Engine) -> None:
    engine.add("box", two(0))
    half = WINDOW // 2
    for first in range(0, 3 * WINDOW, half):
        if first == 3 * half:
            engine.listen("box", two(0, 1))
        engine.accept(Arrival("box", RATE_HZ, Block(STEREO[first : first + half].copy(), first), 0))
        list(engine.drain())
    books = {each.channel: each for each in engine.ledgers() if each.source == "box"}
    assert (books[0].captured, books[0].scored, sum(books[0].lost.values())) == (3 * WINDOW, 3 * WINDOW, 0)
    assert (books[1].captured, books[1].scored, sum(books[1].lost.values())) == (3 * half, WINDOW, 0)
    assert (books[1].balance, books[1].pending) == (0, half)


def test_a_channel_that_goes_from_a_running_device_takes_nothing_from_the_other(engine: Engine) -> None:
    engine.add("box", two(0, 1))
    engine.accept(Arrival("box", RATE_HZ, Block(STEREO[:WINDOW].copy(), 0), 0))
    engine.listen("box", two(1))
    engine.accept(Arrival("box", RATE_HZ, Block(STEREO[WINDOW : 2 * WINDOW].copy(), WINDOW), 0))
    heard = [(event.channel, event.window.index) for event in engine.drain()]
    assert heard == [(1, 0), (1, 1)]
    (books,) = [each for each in engine.ledgers() if each.source == "box"]
    assert (books.channel, books.captured, books.scored, books.balance) == (1, 2 * WINDOW, 2 * WINDOW, 0)


class Judge:
    """Keeps what the encoder made of each window."""

    def __init__(self) -> None:
        self.embeddings: list[np.ndarray] = []
        self.spans: list[tuple[int, int]] = []

    def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
        self.embeddings.append(window.features.embeddings)
        self.spans.append((window.start, window.stop))
        return Heard("m", None, None, MachineState.NORMAL, None)


def with_encoder(std_db: float, judge: Judge) -> tuple[Engine, Analyser]:
    analyser = Analyser(tiny_encoder(std_db))
    engine = Engine(
        analyser,
        settings=SignalSettings(),
        shape=WindowShape(4.2, 2.1),
        policy=ScorePolicy(window_s=4.2),
        sources={"mic": SourcePlan((ChannelPlan(0, judge),), stamped_by_arrival=False)},
        clock=VirtualClock(),
    )
    return engine, analyser


@pytest.mark.parametrize("at", [WINDOW // 3, WINDOW + 1000, 2 * WINDOW, 2 * WINDOW + WINDOW // 2])
def test_another_encoder_in_the_middle_of_a_window_judges_all_of_it(at: int) -> None:
    """No window is lost, and none is judged by half of each: as if the new encoder had heard it from its start."""
    changed, old, new = Judge(), Judge(), Judge()
    engine, _ = with_encoder(10.0, changed)
    hear(engine, "mic", 0, at)
    before = len(changed.embeddings)
    engine.adopt(Analyser(tiny_encoder(14.0)))
    hear(engine, "mic", at, len(NOISE))
    for std_db, judge in ((10.0, old), (14.0, new)):
        hear(with_encoder(std_db, judge)[0], "mic", 0, len(NOISE))
    assert changed.spans == old.spans == new.spans
    assert len(changed.spans) == 2
    for number, found in enumerate(changed.embeddings):
        expected = old if number < before else new
        np.testing.assert_array_equal(found, expected.embeddings[number])
    assert not np.array_equal(old.embeddings[-1], new.embeddings[-1])
    (books,) = engine.ledgers()
    assert books.captured == len(NOISE)
