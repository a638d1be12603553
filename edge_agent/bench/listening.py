"""What live channels cost: blocks through books, transform, encoder, scoring and events, without device and broker.

All windows of all channels end with the same block, which is the worst case. (`benchmarks/speed/live.py` measures the
whole agent with real devices and a real broker, at real time.)
"""

import time
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
from edge_agent.pipeline.analyse import Analyser, WindowShape
from edge_agent.pipeline.roster import Roster
from edge_agent.signal.logmel import LogMelTransform

BLOCK_SAMPLES = 1_600
LATENCY_TARGET_S = 0.25
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


def measure_live(ground: Ground, bundle: Bundle, channels: int, windows: int = 1) -> LiveFigures:
    """Feed `channels` channels with blocks of 100 ms until each has had so many windows; the first one warms up."""
    plant = _Plant(ground, bundle, channels)
    samples = AudioFile(ground.clips[0]).read(0, int(plant.shape.window_s * plant.rate_hz))[:, 0]
    plant.window(samples)
    began_s = time.process_time()
    delays_s = [delay_s for _ in range(windows) for delay_s in plant.window(samples)]
    spent_s = time.process_time() - began_s
    delays_s.sort()
    return LiveFigures(
        channels=channels,
        cpu_percent_per_channel=round(100 * spent_s / (windows * plant.shape.window_s * channels), 4),
        p99_ms=round(1000 * delays_s[int(len(delays_s) * 0.99)], 1),
    )


def channels_one_core_holds(figures: list[LiveFigures]) -> int:
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
