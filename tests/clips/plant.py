"""A recorder, a writer and a store, as the agent ties them, over samples that a test chooses."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.policy import HeardWindow, KeepLimits, KeepPolicy
from edge_agent.clips.prepare import Keep
from edge_agent.clips.queue import ClipQueue
from edge_agent.clips.recorder import ClipRecorder, RecordedWindow, Roll
from edge_agent.clips.screen import SpeechPolicy, SpeechScreen
from edge_agent.clips.sidecar import Judgement
from edge_agent.clips.store import ClipStore
from edge_agent.clips.writer import ClipWriter
from edge_agent.signal.logmel import log_mel_db
from tests.clips.samples import BUNDLE, NS_PER_S, ORIGIN, START_NS, ids

RATE_HZ = 16_000
WINDOW_S = 4.0


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """16-bit noise as a device hands it over."""
    steps = np.random.default_rng(seed).integers(-8000, 8000, round(seconds * RATE_HZ))
    return (steps / 32768).astype(np.float32)


@dataclass
class Desk:
    """Plays sound in blocks of 0.1 s and a window every four seconds.

    Attributes:
        root: Where the store lies.
        script: State and score of each window; `normal` at 0.5 beyond it.
    """

    root: Path
    script: dict[int, tuple[str, float]] = field(default_factory=dict)
    screen: SpeechScreen = field(default_factory=lambda: SpeechScreen(SpeechPolicy.OFF, None))
    keep: Keep = Keep.AUDIO
    limits: KeepLimits = field(default_factory=lambda: KeepLimits(random_per_day=0, uncertain_per_day=0))
    max_bytes: int = 1 << 30
    queue: ClipQueue = field(default_factory=ClipQueue)
    behind: bool = False
    told: list[str] = field(default_factory=list)
    alarm: str | None = None

    def __post_init__(self) -> None:
        make = ids()
        self.writer = ClipWriter(
            open_store=lambda: ClipStore(self.root, StoreLimits(self.max_bytes, 0)),
            make_screen=lambda: self.screen,
            keep=self.keep,
            queue=self.queue,
            on_state=self.told.append,
            nice=0,
        )
        self.recorder = ClipRecorder(
            KeepPolicy(self.limits),
            self.writer,
            Roll(pre_s=6.0, post_s=3.0, window_s=WINDOW_S),
            new_id=lambda: next(make),
            draw=lambda: 0.5,
            behind=lambda: self.behind,
        )
        self.tap = self.recorder.tap("mic", 0)
        self.numbers = count()
        self.position = 0
        self.heard = np.zeros(0, np.float32)
        self.clips: dict[int, str] = {}

    def play(self, sound: NDArray[np.float32]) -> None:
        """The next sound; its windows are judged as the script says."""
        for first in range(0, len(sound), RATE_HZ // 10):
            block = sound[first : first + RATE_HZ // 10]
            self.tap.push(block)
            self.heard = np.concatenate([self.heard, block])
            while len(self.heard) - self.position >= WINDOW_S * RATE_HZ:
                self._window()

    def _window(self) -> None:
        size = round(WINDOW_S * RATE_HZ)
        self.hear(self.position, size, log_mel_db(self.heard[self.position : self.position + size]))
        self.position += size

    def hear(self, first_sample: int, samples: int, frames_db: NDArray[np.float32]) -> None:
        """A window has ended, whose sound the tap was given."""
        number = next(self.numbers)
        state, score = self.script.get(number, ("normal", 0.5))
        start_ns = START_NS + round(number * WINDOW_S * NS_PER_S)
        clip = self.recorder.window(
            RecordedWindow(
                heard=HeardWindow("fan_1", start_ns, state, score, 3.0, alarm_raised=state == "raised"),
                machine_type="fan",
                origin=ORIGIN,
                judgement=Judgement(
                    state="alarm" if state == "raised" else state, score=score, threshold=3.0, bundle=BUNDLE
                ),
                clock_synced=True,
                first_sample=first_sample,
                samples=samples,
                log_mel_db=frames_db,
                alarm=self.alarm,
            )
        )
        if clip is not None:
            self.clips[number] = clip

    def finish(self) -> ClipStore:
        """End the run; returns the store to look at."""
        self.tap.end()
        self.recorder.close()
        self.writer.stop(within_s=120.0)
        return ClipStore(self.root, StoreLimits(1 << 30, 0))
