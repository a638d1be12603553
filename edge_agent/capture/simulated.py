"""A source of simulated machines, at the pace of real ones or as fast as asked for: demonstration, tests, soak."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.capture.source import MAX_CHANNELS, Block, SourceError
from edge_agent.simulate import FaultKind, MachineSimulator, MachineSpec, MachineState, SimulationError


@dataclass(frozen=True)
class ScheduledFault:
    """A fault that begins at `start_s`, grows evenly to `severity` over `ramp_s` and stays, or ends at `stop_s`."""

    kind: FaultKind
    start_s: float
    ramp_s: float = 0.0
    severity: float = 1.0
    stop_s: float = math.inf

    def __post_init__(self) -> None:
        """Refuse times and severities that make no sense."""
        if not (0 <= self.start_s < self.stop_s and 0 <= self.ramp_s < math.inf and 0 <= self.severity <= 1):
            msg = f"scheduled fault {self.kind.key} needs 0 <= start_s < stop_s, ramp_s >= 0, severity in 0..1: {self}"
            raise SourceError(msg)

    def severity_at(self, time_s: float) -> float:
        """Severity at a time since the source's first sample."""
        if not self.start_s <= time_s < self.stop_s:
            return 0.0
        grown = 1.0 if self.ramp_s == 0 else min(1.0, (time_s - self.start_s) / self.ramp_s)
        return self.severity * grown


@dataclass(frozen=True)
class ScheduledState:
    """The operating state from `start_s` on."""

    start_s: float
    state: MachineState


@dataclass(frozen=True)
class SimulatedChannel:
    """One microphone at one machine, and what becomes of the machine.

    Attributes:
        spec: The machine.
        seed: Seed of what happens by chance.
        faults: One after another, in order of time; one machine has one fault at a time.
        states: Changes of operating state in order of time; running until the first.
    """

    spec: MachineSpec
    seed: int
    faults: tuple[ScheduledFault, ...] = ()
    states: tuple[ScheduledState, ...] = ()

    def __post_init__(self) -> None:
        """Refuse schedules out of order, and faults that the machine cannot have."""
        for earlier, later in zip(self.faults, self.faults[1:], strict=False):
            if later.start_s < earlier.stop_s:
                msg = f"faults of {self.spec.id} overlap: {later.kind.key} begins before {earlier.kind.key} has stopped"
                raise SourceError(msg)
        starts_s = [change.start_s for change in self.states]
        if starts_s != sorted(starts_s):
            msg = f"states of {self.spec.id} are not in order of time: {starts_s}"
            raise SourceError(msg)
        for fault in self.faults:
            try:
                self.spec.fault_voice(fault.kind)
            except SimulationError as error:
                raise SourceError(str(error)) from error

    def fault_at(self, time_s: float) -> ScheduledFault | None:
        """The fault that is present, or else the next to come."""
        return next((fault for fault in self.faults if time_s < fault.stop_s), None)

    def state_at(self, time_s: float) -> MachineState:
        """The operating state at a time."""
        begun = [change.state for change in self.states if change.start_s <= time_s]
        return begun[-1] if begun else MachineState.RUNNING


class SimulatedSource:
    """A `Source` whose channels are simulated machines.

    With a clock it is paced: a block is handed out when the clock says that a microphone would have captured it, and
    one that comes late is handed out at once, so that nothing drifts. Without one, it is as fast as the CPU allows. The
    samples are the same either way, and the same again each time `blocks()` is called. Changes of fault and state are
    heard from the simulator's next chunk on (0.26 s); a fault's severity follows its ramp exactly.

    Args:
        source_id: Name of the source.
        channels: One or more.
        rate_hz: Sample rate, 16 to 192 kHz.
        block_samples: Samples in a block; the last may be shorter.
        duration_s: When the source ends; None for never.
        clock: Monotonic seconds, such as `time.monotonic`; None for unpaced.
        sleep: Waits for so many seconds; by default until then or until closed.

    Raises:
        SourceError: No channels or too many, or a rate, block or duration out of range.
    """

    def __init__(
        self,
        source_id: str,
        channels: Sequence[SimulatedChannel],
        *,
        rate_hz: int = 16_000,
        block_samples: int = 1_024,
        duration_s: float | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        if not 1 <= len(channels) <= MAX_CHANNELS:
            msg = f"source {source_id!r} has {len(channels)} channels; give 1 to {MAX_CHANNELS}"
            raise SourceError(msg)
        if block_samples < 1 or (duration_s is not None and not 0 < duration_s < math.inf):
            msg = f"source {source_id!r}: block_samples {block_samples} and duration_s {duration_s} must be positive"
            raise SourceError(msg)
        self._source_id, self._channels, self._rate_hz = source_id, tuple(channels), rate_hz
        self._block_samples = block_samples
        self._total = None if duration_s is None else max(1, round(duration_s * rate_hz))
        self._closed = threading.Event()
        self._clock = clock
        self._sleep = sleep if sleep is not None else self._wait
        self._simulators()  # a rate that cannot be simulated is refused now, not in the midst of a run

    @classmethod
    def live(cls, source_id: str, channels: Sequence[SimulatedChannel], *, rate_hz: int = 16_000) -> SimulatedSource:
        """An endless source at the pace of the machine's own monotonic clock."""
        return cls(source_id, channels, rate_hz=rate_hz, clock=time.monotonic)

    @property
    def source_id(self) -> str:
        """Name of the source, as configured."""
        return self._source_id

    @property
    def rate_hz(self) -> int:
        """Sample rate in Hz."""
        return self._rate_hz

    @property
    def channels(self) -> int:
        """Number of channels in every block."""
        return len(self._channels)

    @property
    def restartable(self) -> bool:
        """Always: the same samples come again."""
        return True

    def blocks(self) -> Iterator[Block]:
        """Yield blocks from position 0; `SourceError` once closed, or where the simulation fails."""
        if self._closed.is_set():
            msg = f"source {self._source_id!r} is closed; open a new one"
            raise SourceError(msg)
        return self._blocks()

    def close(self) -> None:
        """End `blocks()` after the block in hand; calling it again does nothing."""
        self._closed.set()

    def _blocks(self) -> Iterator[Block]:
        started_s = None if self._clock is None else self._clock()
        pieces = self._pieces()
        pending: npt.NDArray[np.float32] = np.zeros((0, self.channels), np.float32)
        position = 0
        while not self._closed.is_set() and (self._total is None or position < self._total):
            count = self._block_samples if self._total is None else min(self._block_samples, self._total - position)
            while len(pending) < count:
                pending = np.concatenate([pending, next(pieces)])
            if self._clock is not None and started_s is not None:
                due_s = started_s + (position + count) / self._rate_hz
                early_s = due_s - self._clock()
                if early_s > 0:
                    self._sleep(early_s)
                if self._closed.is_set():
                    return
            yield Block(np.ascontiguousarray(pending[:count]), position)
            pending = pending[count:]
            position += count

    def _simulators(self) -> list[MachineSimulator]:
        try:
            return [
                MachineSimulator(channel.spec, channel.seed, self._rate_hz, channel.state_at(0.0))
                for channel in self._channels
            ]
        except SimulationError as error:
            msg = f"source {self._source_id!r}: {error}"
            raise SourceError(msg) from error

    def _pieces(self) -> Iterator[npt.NDArray[np.float32]]:
        """Whole chunks `[chunk_samples, channels]`, so that no schedule depends on the block length."""
        simulators = self._simulators()
        while True:
            columns = []
            for channel, simulator in zip(self._channels, simulators, strict=True):
                time_s = simulator.position / self._rate_hz
                simulator.state = channel.state_at(time_s)
                fault = channel.fault_at(time_s)
                if fault is None:
                    columns.append(simulator.render(simulator.chunk_samples))
                else:
                    columns.append(simulator.render(simulator.chunk_samples, fault.kind, fault.severity_at))
            yield np.stack(columns, axis=1)

    def _wait(self, seconds: float) -> None:
        self._closed.wait(seconds)
