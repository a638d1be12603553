"""Listening to a machine's channel by opening its source: what is done where no agent runs."""

import os
import queue
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.hearing.engine import Engine
from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.hearing.plan import ChannelPlan, SourcePlan
from edge_agent.agent.hearing.sources import is_live, source_opener, stamps_by_arrival
from edge_agent.capture.block_queue import BlockQueue
from edge_agent.capture.clock import SystemClock
from edge_agent.capture.level_meter import levels_of
from edge_agent.capture.runner import SourceChange, SourceRunner
from edge_agent.commissioning.errors import ListenError
from edge_agent.commissioning.items import Ended, HeardWindow, Item, Level, SourceStatus
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import SourceSection
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.listener import Heard, MachineState
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.pipeline.window import AnalysedWindow, WindowShape

_WAIT_S = 0.25
_LEVEL_EVERY_S = 0.5


def channel_of(settings: AgentSettings, machine_id: str) -> tuple[SourceSection, int]:
    """The source and the channel of it that hear a machine.

    Raises:
        ListenError: None does.
    """
    for source in settings.source:
        for channel in source.channel:
            if channel.machine == machine_id:
                return source, channel.index
    known = sorted(channel.machine for source in settings.source for channel in source.channel)
    raise ListenError(
        f"no channel of the configuration hears machine {machine_id!r} (heard: {', '.join(known) or 'none'}); add a "
        "[[source.channel]] with it, or name the configuration with --config"
    )


def heard_window(event: WindowEvent) -> HeardWindow:
    """A window in the words of this package."""
    window = event.window
    return HeardWindow(
        start_ns=event.start_ns,
        start_s=window.start_s,
        duration_s=window.duration_s,
        coverage=window.coverage,
        rejected=None if event.rejected is None else event.rejected.value,
        features=window.features,
        level=window.level,
    )


class LevelGatherer:
    """Levels of one channel, one for every half second of its blocks."""

    def __init__(self) -> None:
        self._held: list[NDArray[np.float32]] = []
        self._samples = 0

    def push(self, samples: NDArray[np.float32], rate_hz: int) -> Level | None:
        """Take a block's samples `[n]`; a level once half a second is together."""
        self._held.append(samples)
        self._samples += len(samples)
        if self._samples < _LEVEL_EVERY_S * rate_hz:
            return None
        (level,) = levels_of(np.concatenate(self._held)[:, None])
        self._held, self._samples = [], 0
        return Level(level.rms_dbfs, level.peak_dbfs, level.clipped)


class _Nobody:
    """Hears windows for the sake of their features only."""

    def __init__(self, machine_id: str) -> None:
        self._machine_id = machine_id

    def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
        return Heard(self._machine_id, None, None, MachineState.UNCOMMISSIONED, None)


class DirectChannel:
    """One channel of a source, opened by this process; a context that closes it.

    Args:
        settings: The configuration.
        machine_id: The machine whose channel it is.
        bundle: Whose encoder hears it.
        environ: The environment, for secrets of streams.

    Raises:
        ListenError: No channel hears the machine.
    """

    def __init__(
        self, settings: AgentSettings, machine_id: str, bundle: Bundle, environ: Mapping[str, str] = os.environ
    ) -> None:
        section, self._index = channel_of(settings, machine_id)
        self._source_id = section.id
        self._queue = BlockQueue()
        self._changes: queue.SimpleQueue[SourceChange] = queue.SimpleQueue()
        clock = SystemClock()
        self._runner = SourceRunner(
            section.id,
            source_opener(section, settings, environ),
            self._queue,
            clock,
            self._changes.put,
            live=is_live(section),
        )
        plan = SourcePlan((ChannelPlan(self._index, _Nobody(machine_id)),), stamps_by_arrival(section))
        self._engine = Engine(
            Analyser(bundle.encoder()),
            settings=bundle.manifest.signal,
            shape=WindowShape(settings.window.window_s, settings.window.hop_s),
            policy=ScorePolicy(settings.window.window_s, settings.window.min_coverage),
            sources={section.id: plan},
            clock=clock,
        )
        self._levels = LevelGatherer()

    def __enter__(self) -> Self:
        self._runner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._queue.close()  # first: a source that can wait would wait for room
        self._runner.stop()

    def items(self) -> Iterator[Item | None]:
        """What the channel gives, and None every quarter of a second where it gives nothing; ends with the source."""
        while True:
            arrivals = self._queue.take(_WAIT_S)
            while not self._changes.empty():
                change = self._changes.get()
                yield SourceStatus(change.state.value, change.detail)
            if not arrivals:
                yield None
            for arrival in arrivals:
                self._engine.accept(arrival)
                if arrival.block is not None:
                    level = self._levels.push(arrival.block.samples[:, self._index], arrival.rate_hz)
                    if level is not None:
                        yield level
            for event in self._engine.drain():
                yield heard_window(event)
            if self._engine.ended(self._source_id):
                yield Ended("the source ended")
                return
