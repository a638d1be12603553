"""What live channels cost: blocks through books, transform, encoder, scoring and events, without device and broker.

All windows of all channels end with the same block, which is the worst case. (`benchmarks/speed/live.py` measures the
whole agent with real devices and a real broker, at real time.)
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.hearing.booked import BookedChannel
from edge_agent.agent.profiles import ProfileStore
from edge_agent.bench.sound import MACHINE, Ground
from edge_agent.capture.audio_file import AudioFile
from edge_agent.capture.ledger import SCORED, SampleLedger
from edge_agent.delivery.events import make_event
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.reporting import bundle_reference, result_data
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.roster import Roster
from edge_agent.pipeline.window import WindowShape
from edge_agent.signal.logmel import LogMelTransform

BLOCK_SAMPLES = 1_600
LATENCY_TARGET_S = 0.25
_AT_ONCE = 8
_ULID = "0" * 26


@dataclass(frozen=True)
class LiveFigures:
    """Of so many channels on one core.

    Attributes:
        channels: How many.
        cpu_percent_per_channel: Share of a core that one takes.
        p99_ms: From the block that ends all windows until 99 in 100 of their events are written, processor time.
    """

    channels: int
    cpu_percent_per_channel: float
    p99_ms: float


def measure_live(ground: Ground, bundle: Bundle, counts: Sequence[int], rounds: int = 5) -> tuple[LiveFigures, ...]:
    """Feed so many channels at a time with blocks of 100 ms, window after window.

    All counts are measured in turn, after two windows of each that warm up, so that what else runs on the machine
    strikes all alike; of few channels several windows a round. Costs are medians.
    """
    plants = [_Plant(ground, bundle, channels) for channels in counts]
    shape, rate_hz = plants[0].shape, plants[0].rate_hz
    samples = AudioFile(ground.clips[0]).read(0, int(shape.window_s * rate_hz))[:, 0]
    for plant in plants * 2:
        plant.window(samples)
    spent_s: dict[int, list[float]] = {channels: [] for channels in counts}
    delays_s: dict[int, list[float]] = {channels: [] for channels in counts}
    for _ in range(rounds):
        for plant, channels in zip(plants, counts, strict=True):
            for _ in range(max(1, _AT_ONCE // channels)):
                began_s = time.process_time()
                delays_s[channels] += plant.window(samples)
                spent_s[channels].append(time.process_time() - began_s)
    return tuple(
        LiveFigures(
            channels=channels,
            cpu_percent_per_channel=round(100 * statistics.median(spent_s[channels]) / (shape.window_s * channels), 4),
            p99_ms=round(1000 * sorted(delays_s[channels])[int(len(delays_s[channels]) * 0.99)], 1),
        )
        for channels in counts
    )


def channels_one_core_holds(figures: Sequence[LiveFigures]) -> int:
    """How many channels fit: all of a core used, or the last event of a common window end too late.

    Both are taken to grow with the channels as between the two largest measured.
    """
    fewer, more = sorted(figures, key=lambda each: each.channels)[-2:]
    by_load = int(100.0 / more.cpu_percent_per_channel)
    step_ms = (more.p99_ms - fewer.p99_ms) / (more.channels - fewer.channels)
    by_delay = more.channels + int((1000 * LATENCY_TARGET_S - more.p99_ms) / step_ms) if step_ms > 0 else by_load
    return max(0, min(by_load, by_delay))


class _Plant:
    """Channels that all hear the same machine."""

    def __init__(self, ground: Ground, bundle: Bundle, channels: int) -> None:
        settings = bundle.manifest.signal
        self.rate_hz, self.shape = settings.sample_rate_hz, WindowShape()
        transform = LogMelTransform(settings)
        names = [f"{MACHINE}_{index}" for index in range(channels)]
        profile = ProfileStore(ground.state_dir).load(MACHINE)
        roster = Roster(bundle, dict.fromkeys(names, profile))
        self._listeners = [roster.listener(name) for name in names]
        self._channels = [
            BookedChannel(settings, self.shape, self.rate_hz, SampleLedger(name, 0), transform=transform)
            for name in names
        ]
        self._place = {id(channel.stream): place for place, channel in enumerate(self._channels)}
        self._analyser = Analyser(bundle.encoder())
        self._reference = bundle_reference(bundle.ref)
        self._position = 0

    def window(self, samples: NDArray[np.float32]) -> list[float]:
        """Feed one window of sound; when each event was written, seconds after the last block came."""
        written_s: list[float] = []
        for first in range(0, len(samples), BLOCK_SAMPLES):
            block = samples[first : first + BLOCK_SAMPLES]
            came_s = time.process_time()
            for channel in self._channels:
                channel.push(block, self._position)
            self._position += len(block)
            for stream, window in self._analyser.drain(channel.stream for channel in self._channels):
                place = self._place[id(stream)]
                heard = self._listeners[place].hear(window, 0)
                self._channels[place].settle(window, SCORED)
                data = result_data(window, heard, start_ns=0, bundle=self._reference, clock_synced=True)
                make_event(data, event_id=_ULID, source="/bench/bench", subject=data.machine, time=rfc3339(0)).to_json()
                written_s.append(time.process_time() - came_s)
        return written_s
