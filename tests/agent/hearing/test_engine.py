"""The engine: whatever arrives and however it ends, every sample is booked once and every window comes once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.agent.hearing.engine import Engine
from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.hearing.plan import ChannelPlan, SourcePlan
from edge_agent.capture.block_queue import Arrival
from edge_agent.capture.clock import NS_PER_S, VirtualClock
from edge_agent.capture.reasons import Lost, Skipped
from edge_agent.capture.source import Block
from edge_agent.inference.encoder import Encoded, Encoder
from edge_agent.inference.errors import BundleError
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.listener import Heard, MachineState
from edge_agent.pipeline.policy import ScorePolicy, Unscorable
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.settings import SignalSettings
from tests.support.bundles import tiny_encoder

SIGNAL = SignalSettings()
NOISE = (np.random.default_rng(5).standard_normal((16_000 * 12, 2)) * 0.1).astype(np.float32)


class Ear:
    """A listener that answers with one state; enough where it is the books that are looked at."""

    def __init__(self, state: MachineState = MachineState.NORMAL) -> None:
        self.state = state
        self.heard: list[AnalysedWindow] = []

    def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
        self.heard.append(window)
        return Heard("m", None, None, self.state, None)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return tiny_encoder()


def _engine(encoder: Encoder, plans: dict[str, SourcePlan], hop_s: float = 2.1) -> Engine:
    return Engine(
        Analyser(encoder),
        settings=SIGNAL,
        shape=WindowShape(2.1, hop_s),
        policy=ScorePolicy(window_s=2.1),
        sources=plans,
        clock=VirtualClock(wall_ns=1_700_000_000 * NS_PER_S),
    )


def _plan(*channels: int, state: MachineState = MachineState.NORMAL) -> SourcePlan:
    return SourcePlan(tuple(ChannelPlan(index, Ear(state)) for index in channels), stamped_by_arrival=False)


def _end(source: str, rate_hz: int = 16_000) -> Arrival:
    return Arrival(source, rate_hz, None, 0)


def _arrival(source: str, first: int, stop: int, rate_hz: int = 16_000, *, at: int | None = None) -> Arrival:
    return Arrival(source, rate_hz, Block(NOISE[first:stop], first if at is None else at), 0)


@dataclass(frozen=True)
class Step:
    """One thing that a source does: so many samples, lost or captured, whole or broken."""

    samples: int
    lost: bool = False
    broken: bool = False


steps = st.lists(
    st.builds(
        Step,
        st.integers(1, 30_000),
        lost=st.booleans(),
        broken=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=12,
)


def _arrivals(source: str, rate_hz: int, script: list[Step]) -> Iterator[Arrival]:
    position = 0
    for step in script:
        if not step.lost:
            samples = np.resize(NOISE, (step.samples, 2)).copy()
            if step.broken:
                samples[step.samples // 2, 0] = np.nan
            yield Arrival(source, rate_hz, Block(samples, position, Lost.OVERRUN), 0)
        position += step.samples


@settings(max_examples=40, deadline=None)
@given(
    one=steps,
    two=steps,
    rate_hz=st.sampled_from([8_000, 11_025, 16_000, 44_100]),
    hop_s=st.sampled_from([2.1, 0.7, 1.0]),
    state=st.sampled_from([MachineState.NORMAL, MachineState.INPUT_FAULT, MachineState.UNCOMMISSIONED]),
    ends=st.booleans(),
)
def test_every_sample_is_booked_once_whatever_arrives(
    encoder: Encoder, one: list[Step], two: list[Step], *, rate_hz: int, hop_s: float, state: MachineState, ends: bool
) -> None:
    engine = _engine(encoder, {"a": _plan(0, 1, state=state), "b": _plan(1)}, hop_s)
    queues = [list(_arrivals("a", rate_hz, one)), list(_arrivals("b", 16_000, two))]
    captured = {"a": sum(a.block is not None for a in queues[0]) > 0, "b": len(queues[1]) > 0}
    stops = {s: max((a.block.stop_sample for a in q if a.block), default=0) for s, q in zip("ab", queues, strict=True)}
    if ends:
        queues[0].append(_end("a", rate_hz))
        queues[1].append(_end("b"))
    events: list[WindowEvent] = []
    while any(queues):
        for queue in queues:
            if queue:
                engine.accept(queue.pop(0))
                assert all(ledger.balance == 0 for ledger in engine.ledgers())
        events.extend(engine.drain())
        assert all(ledger.balance == 0 for ledger in engine.ledgers())
    events.extend(engine.stop())
    for ledger in engine.ledgers():
        assert (ledger.balance, ledger.pending) == (0, 0)
        assert ledger.captured == stops[ledger.source]
        assert ledger.scored == 0 or state is MachineState.NORMAL or ledger.source == "b"
    for source, channel in (("a", 0), ("a", 1), ("b", 1)):
        own = [e.window for e in events if (e.source_id, e.channel) == (source, channel)]
        assert [window.index for window in own] == list(range(len(own)))
        assert all(a.start < b.start and a.next_start == b.start for a, b in pairwise(own))
        if ends and captured[source]:
            assert not own or own[-1].stop <= stops[source]


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 12 * 16_000 - 1), max_size=10, unique=True), rounds=st.integers(1, 5))
def test_neither_blocks_nor_rounds_change_a_window(encoder: Encoder, cuts: list[int], rounds: int) -> None:
    def play(edges: list[int], every: int) -> list[tuple[object, ...]]:
        engine = _engine(encoder, {"a": _plan(0, 1)}, 1.05)
        found: list[WindowEvent] = []
        for count, (first, stop) in enumerate(pairwise(edges)):
            engine.accept(_arrival("a", first, stop))
            if count % every == 0:
                found.extend(engine.drain())
        engine.accept(_end("a"))
        found.extend(engine.drain())
        return sorted(
            (e.channel, e.start_ns, e.end_ns, e.rejected, e.window.features.embeddings.tobytes()) for e in found
        )

    assert play([0, *sorted(cuts), len(NOISE)], rounds) == play([0, len(NOISE)], 1)


def _books(engine: Engine) -> dict[str, int]:
    (ledger,) = engine.ledgers()
    named = {"captured": ledger.captured, "scored": ledger.scored, "pending": ledger.pending}
    outcomes = {**ledger.skipped, **ledger.lost}
    return named | {reason.value: count for reason, count in outcomes.items() if count}


def test_the_end_of_a_recording(encoder: Encoder) -> None:
    engine = _engine(encoder, {"a": _plan(0)})
    engine.accept(_arrival("a", 0, 80_000))
    assert len(list(engine.drain())) == 2
    engine.accept(_end("a"))
    (last,) = engine.drain()
    assert last.rejected is Unscorable.TAIL
    assert _books(engine) == {"captured": 80_000, "scored": 67_200, "pending": 0, "tail": 12_800}


def test_a_stop_in_mid_window_is_booked_as_shutdown(encoder: Encoder) -> None:
    engine = _engine(encoder, {"a": _plan(0)})
    engine.accept(_arrival("a", 0, 50_000))
    assert len(list(engine.drain())) == 1
    assert _books(engine) == {"captured": 50_000, "scored": 33_600, "pending": 16_400}
    assert list(engine.stop()) == []
    assert _books(engine) == {"captured": 50_000, "scored": 33_600, "pending": 0, "shutdown": 16_400}


def test_a_source_that_ends_because_the_agent_stops_is_booked_as_shutdown(encoder: Encoder) -> None:
    engine = _engine(encoder, {"a": _plan(0)})
    engine.accept(_arrival("a", 0, 50_000))
    engine.stopping()
    engine.accept(_end("a"))
    assert [event.rejected for event in engine.stop()] == [None, Unscorable.TAIL]
    assert _books(engine) == {"captured": 50_000, "scored": 33_600, "pending": 0, "shutdown": 16_400}


def test_a_broken_block_is_a_gap_to_the_windows_and_costs_no_other(encoder: Encoder) -> None:
    engine = _engine(encoder, {"a": _plan(0, 1)})
    samples = NOISE[:100_800].copy()
    samples[45_000, 0] = np.inf
    for first in range(0, 100_800, 8_400):
        engine.accept(Arrival("a", 16_000, Block(samples[first : first + 8_400].copy(), first), 0))
    events = list(engine.drain())
    assert [(e.channel, e.window.index, e.rejected) for e in events] == [
        (0, 0, None), (0, 1, Unscorable.LOW_COVERAGE), (0, 2, None), (1, 0, None), (1, 1, None), (1, 2, None),
    ]  # fmt: skip
    first, second = engine.ledgers()
    assert (first.skipped[Skipped.INVALID_SAMPLE], first.skipped[Skipped.LOW_COVERAGE]) == (8_400, 8_400)
    assert second.scored == 100_800


def test_a_source_that_is_removed_leaves_no_books_and_can_come_back(encoder: Encoder) -> None:
    engine = _engine(encoder, {"a": _plan(0), "b": _plan(0)})
    engine.accept(_arrival("a", 0, 50_000))
    list(engine.drain())
    engine.remove("a")
    assert [ledger.source for ledger in engine.ledgers()] == ["b"]
    engine.add("a", _plan(0))
    engine.accept(_arrival("a", 0, 33_600))
    assert [event.source_id for event in engine.drain()] == ["a"]


def test_stamps_follow_the_count_where_nothing_arrives_in_time(encoder: Encoder) -> None:
    engine = _engine(encoder, {"a": _plan(0)})
    engine.accept(_arrival("a", 0, 80_000))
    events = list(engine.drain())
    assert [e.start_ns / NS_PER_S - 1_700_000_000 for e in events] == [pytest.approx(0.0), pytest.approx(2.1)]
    assert [(e.end_ns - e.start_ns) / NS_PER_S for e in events] == [pytest.approx(2.1)] * 2


def test_stages_are_timed(encoder: Encoder) -> None:
    took: list[str] = []
    engine = Engine(
        Analyser(encoder), settings=SIGNAL, shape=WindowShape(2.1, 2.1), policy=ScorePolicy(window_s=2.1),
        sources={"a": _plan(0)}, clock=VirtualClock(), on_stage=lambda stage, seconds: took.append(stage),
    )  # fmt: skip
    engine.accept(_arrival("a", 0, 33_600))
    list(engine.drain())
    assert took == ["features", "encode", "score"]
    assert 0 < engine.computing_s < 60


class Stumbling:
    """A real encoder that fails on loud patches, as a broken model would on some inputs."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.spec = encoder.spec

    def encode_patches(self, patches: Sequence[NDArray[np.float32]]) -> Encoded:
        if max(patch.max() for patch in patches) > 18.0:
            raise BundleError("tiny.tflite: failed on a batch")
        return self._encoder.encode_patches(patches)


def _scream(first: int, stop: int) -> NDArray[np.float32]:
    """Two channels of noise, the first of which is too loud for `Stumbling` in a stretch."""
    samples = NOISE[:168_000].copy()
    samples[first:stop, 0] *= 40.0
    return samples


def test_a_model_that_fails_costs_the_windows_it_failed_on_and_no_others(
    encoder: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(
        Analyser(Stumbling(encoder), keep_going=True),  # type: ignore[arg-type] # what an encoder is asked for
        settings=SIGNAL, shape=WindowShape(4.2, 4.2), policy=ScorePolicy(window_s=4.2),
        sources={"a": _plan(0, 1)}, clock=VirtualClock(),
    )  # fmt: skip
    engine.accept(Arrival("a", 16_000, Block(_scream(100_000, 102_000), 0), 0))
    events = {(event.channel, event.window.index): event for event in engine.drain()}
    assert [events[0, index].rejected for index in (0, 1)] == [None, Unscorable.MODEL_FAULT]
    assert "tiny.tflite" in events[0, 1].fault and events[0, 1].heard is None
    assert [events[1, index].rejected for index in (0, 1)] == [None, None], (
        "the other channel's patches were in the batch"
    )
    first, second = engine.ledgers()
    assert (first.scored, first.skipped[Skipped.MODEL_FAULT], first.balance) == (67_200, 67_200, 0)
    assert second.scored == 134_400
    assert len([r for r in caplog.records if "could not be scored" in r.message]) == 1


def test_a_defect_in_scoring_costs_its_window_and_is_told_once(
    encoder: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    class Deaf(Ear):
        def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
            if window.index in (1, 2):
                raise ZeroDivisionError("by a silent machine")
            return super().hear(window, start_ns)

    plans = {"a": SourcePlan((ChannelPlan(0, Deaf()), ChannelPlan(1, Ear())), stamped_by_arrival=False)}
    engine = _engine(encoder, plans)
    caplog.set_level("INFO")
    engine.accept(_arrival("a", 0, 4 * 33_600))
    events = list(engine.drain())
    assert [e.rejected for e in events if e.channel == 0] == [
        None, Unscorable.MODEL_FAULT, Unscorable.MODEL_FAULT, None,
    ]  # fmt: skip
    assert all(e.rejected is None for e in events if e.channel == 1)
    assert [r.message for r in caplog.records] == [
        "source a channel 0: a window could not be scored: ZeroDivisionError: by a silent machine",
        "source a channel 0: windows are scored again",
    ]
    assert caplog.records[0].exc_info is not None, "whoever mends it needs to know where"


def test_an_analyser_that_is_not_to_go_on_raises(encoder: Encoder) -> None:
    engine = Engine(
        Analyser(Stumbling(encoder)),  # type: ignore[arg-type] # as above
        settings=SIGNAL, shape=WindowShape(4.2, 4.2), policy=ScorePolicy(window_s=4.2),
        sources={"a": _plan(0)}, clock=VirtualClock(),
    )  # fmt: skip
    engine.accept(Arrival("a", 16_000, Block(_scream(100_000, 102_000), 0), 0))
    with pytest.raises(BundleError):
        list(engine.drain())


def test_stamps_follow_the_time_of_capture_not_of_the_queue(encoder: Encoder) -> None:
    clock = VirtualClock(wall_ns=1_700_000_000 * NS_PER_S)
    engine = Engine(
        Analyser(encoder), settings=SIGNAL, shape=WindowShape(2.1, 2.1), policy=ScorePolicy(window_s=2.1),
        sources={"a": SourcePlan((ChannelPlan(0, Ear()),))}, clock=clock,
    )  # fmt: skip
    clock.advance(3 * NS_PER_S)  # the scorer comes late to all of it
    for stop in range(1_600, 35_200, 1_600):
        captured_ns = stop * NS_PER_S // 16_000
        engine.accept(Arrival("a", 16_000, Block(NOISE[stop - 1_600 : stop], stop - 1_600, Lost.GAP, captured_ns), 0))
    (event,) = engine.drain()
    assert event.start_ns / NS_PER_S - 1_700_000_000 == pytest.approx(0.0, abs=1e-6)
