"""Microphones on sound servers of their own, heard by the agent's real capture and engine, to be broken one by one.

Each microphone plays a tone of its own. Every block is looked at: it must hold its own tone or silence, never another.
After every round of the scorer the books of every channel must balance.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_agent.agent.hearing.engine import Engine
from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.hearing.plan import ChannelPlan, SourcePlan
from edge_agent.agent.hearing.sources import source_opener
from edge_agent.capture.block_queue import Arrival, BlockQueue
from edge_agent.capture.clock import Clock, SystemClock
from edge_agent.capture.ledger import LedgerSnapshot
from edge_agent.capture.runner import SourceChange, SourceRunner, SourceState
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import ChannelSection, MicrophoneSection
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.listener import Heard, MachineState
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.settings import SignalSettings
from tests.support.bundles import tiny_encoder
from tests.support.pulse import PulseServer
from tests.support.tones import tone

RATE_HZ = 16_000
WINDOW_S = 10.0
AMPLITUDE = 0.25
TONE_S = 600.0
"""A tone starts anew with each plugging in; after it there is silence."""
TONES_HZ = (440.0, 1030.0, 2310.0, 3770.0)
_SILENCE = 1e-4
_FOREIGN_SHARE = 0.01
"""Of a tone's full power. A tone that sets in or jumps within a block spills less than a hundredth of that."""


class Ear:
    """Hears every window as normal: here it is the way of the samples that counts."""

    def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
        return Heard("machine", None, None, MachineState.NORMAL, None)


@dataclass
class Seen:
    """What came from one source."""

    blocks: int = 0
    silent: int = 0
    foreign: list[str] = field(default_factory=list)
    arrived_s: float = 0.0
    windows: list[WindowEvent] = field(default_factory=list)
    states: list[tuple[float, SourceChange]] = field(default_factory=list)

    @property
    def rejected(self) -> list[WindowEvent]:
        """Windows that were not scored."""
        return [window for window in self.windows if window.rejected is not None]


class Microphone:
    """One microphone with its server and the tone that it hears."""

    def __init__(self, directory: Path, name: str, hz: float) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.hz = hz
        self.server = PulseServer(directory, (name,), rate_hz=RATE_HZ)
        self._sound = tone(hz, TONE_S, RATE_HZ, AMPLITUDE)
        self._playing = ExitStack()

    @property
    def token(self) -> str:
        """What the agent calls it."""
        return self.server.token(self.name)

    def plug(self) -> None:
        """Start the server and the tone."""
        self.server.start()
        self._playing.enter_context(self.server.playing(self.name, self._sound))

    def unplug(self) -> None:
        """It is gone from one moment to the next."""
        self.server.stop()
        self._playing.close()

    def freeze(self) -> None:
        """It is there and gives nothing."""
        self.server.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.server.signal(signal.SIGCONT)


class Rig:
    """Sources, queue, scorer and books, as the daemon ties them together.

    Args:
        microphones: What is heard; they need not be plugged in.
        clock: For the stamps.
        window_s: Length of a window.
    """

    def __init__(
        self, microphones: tuple[Microphone, ...], clock: Clock | None = None, window_s: float = WINDOW_S
    ) -> None:
        self.microphones = {microphone.name: microphone for microphone in microphones}
        self.seen = {name: Seen() for name in self.microphones}
        self.unbalanced: list[LedgerSnapshot] = []
        self._clock = clock or SystemClock()
        self._queue = BlockQueue()
        self._engine = Engine(
            Analyser(tiny_encoder()),
            settings=SignalSettings(),
            shape=WindowShape(window_s, window_s),
            policy=ScorePolicy(window_s),
            sources={name: SourcePlan((ChannelPlan(0, Ear()),)) for name in self.microphones},
            clock=self._clock,
        )
        settings = AgentSettings()
        self.runners = {
            name: SourceRunner(
                name,
                source_opener(_section(microphone), settings, {}),
                self._queue,
                self._clock,
                self._changed,
                live=True,
            )
            for name, microphone in self.microphones.items()
        }
        self._stopping = threading.Event()
        self._scorer = threading.Thread(target=self._score, daemon=True)
        self._failed: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[Rig]:
        """Listen within the block; then everything is handed over and the books are closed."""
        for runner in self.runners.values():
            runner.start()
        self._scorer.start()
        try:
            yield self
        finally:
            stopped = [runner.stop() for runner in self.runners.values()]
            self._stopping.set()
            self._scorer.join(30)
        assert all(stopped), "every source stops in time"
        assert not self._failed, self._failed

    def books(self) -> Mapping[str, LedgerSnapshot]:
        """The books of every source."""
        return {snapshot.source: snapshot for snapshot in self._engine.ledgers()}

    def lost(self, name: str) -> int:
        """Samples of a source that were lost."""
        return sum(self.books()[name].lost.values())

    def state(self, name: str) -> SourceState:
        """The state that a source came into last."""
        states = self.seen[name].states
        return states[-1][1].state if states else SourceState.STARTING

    def readers_of(self, name: str) -> list[int]:
        """Process ids of a source's readers."""
        token = self.microphones[name].token.encode()
        return [pid for pid, command in readers().items() if token in command]

    def delivers(self, name: str, since_s: float) -> bool:
        """Whether a block came after a moment."""
        return self.seen[name].arrived_s > since_s

    def _changed(self, change: SourceChange) -> None:
        self.seen[change.source_id].states.append((time.monotonic(), change))

    def _score(self) -> None:
        try:
            while not (self._stopping.is_set() and not len(self._queue)):
                for arrival in self._queue.take(0.2):
                    self._engine.accept(arrival)
                    self._look_at(arrival)
                self._keep(self._engine.drain())
                self.unbalanced += [snapshot for snapshot in self._engine.ledgers() if snapshot.balance]
            self._keep(self._engine.stop())
        except BaseException as error:
            self._failed.append(error)
            raise

    def _keep(self, events: Iterator[WindowEvent]) -> None:
        for event in events:
            self.seen[event.source_id].windows.append(event)

    def _look_at(self, arrival: Arrival) -> None:
        seen = self.seen[arrival.source_id]
        if arrival.block is None:
            return
        seen.blocks += 1
        seen.arrived_s = time.monotonic()
        samples = arrival.block.samples[:, 0]
        if np.sqrt(np.mean(samples**2)) < _SILENCE:
            seen.silent += 1
            return
        turns = np.arange(len(samples)) / RATE_HZ
        weighted = samples * np.hanning(len(samples))
        full = (AMPLITUDE / 2 * np.hanning(len(samples)).sum()) ** 2
        for microphone in self.microphones.values():
            share = abs(np.dot(weighted, np.exp(-2j * np.pi * microphone.hz * turns))) ** 2 / full
            if microphone.name != arrival.source_id and share > _FOREIGN_SHARE:
                seen.foreign.append(f"{arrival.block.first_sample}: {share:.3f} of {microphone.name}")


def await_true(what: Callable[[], bool], within_s: float) -> float:
    """Wait until something holds; returns after how many seconds it did, infinity if it did not."""
    started_s = time.monotonic()
    while time.monotonic() - started_s < within_s:
        if what():
            return time.monotonic() - started_s
        time.sleep(0.01)
    return float("inf")


def readers() -> dict[int, bytes]:
    """The device readers that this process has started and that live, with their command lines."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        for word in (task / "children").read_text().split():
            command = Path(f"/proc/{word}/cmdline").read_bytes()
            if b"device_child" in command:
                found[int(word)] = command
    return found


def _section(microphone: Microphone) -> MicrophoneSection:
    return MicrophoneSection(
        id=microphone.name,
        kind="microphone",
        device=microphone.token,
        rate_hz=RATE_HZ,
        channel=(ChannelSection(index=0, machine="auto"),),
    )
