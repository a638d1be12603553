"""Replay end to end against its kernels, and where its time goes."""

import argparse
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from edge_agent.bench.kernels import Kernels
from edge_agent.bench.paired import Timed, median_ratio, middle, take_turns
from edge_agent.bench.sound import MACHINE, Ground
from edge_agent.capture.audio_file import AudioFile
from edge_agent.commands import replay
from edge_agent.commands.replay_session import ReplaySession
from edge_agent.delivery.payload_codec import pack
from edge_agent.inference.golden import patches_of
from edge_agent.pipeline.window import WindowShape
from edge_agent.signal.level import InputMeter
from edge_agent.signal.logmel import LogMelStream, LogMelTransform, log_mel_db


@dataclass(frozen=True)
class ReplayFigures:
    """Of one core, in processor time, start-up apart.

    Attributes:
        real_time_factor: Seconds of sound per second of processor, median.
        best_real_time_factor: The same of the quickest repeat.
        over_kernels: How many times as long as the kernels alone, median of ratios taken in turn.
        kernels_ms: Of each kernel per window of ten seconds.
        stages_ms: Of each stage per window, each alone; what they lack to the whole is `rest`.
        window_ms: The whole per window.
        result_bytes: A result on the wire.
        stored_bytes: A result in the outbox.
        repeats: How often each was measured.
    """

    real_time_factor: float
    best_real_time_factor: float
    over_kernels: float
    kernels_ms: dict[str, float]
    stages_ms: dict[str, float]
    window_ms: float
    result_bytes: int
    stored_bytes: int
    repeats: int


def session_of(ground: Ground) -> ReplaySession:
    """A session as `edge-agent replay --json --machine ...` opens it."""
    parser = argparse.ArgumentParser()
    replay.configure(parser)
    words = ["--json", "--machine", MACHINE, "--state-dir", str(ground.state_dir), *map(str, ground.clips)]
    return ReplaySession(parser.parse_args(words + ([] if ground.bundle is None else ["--bundle", ground.bundle])))


def measure_replay(ground: Ground, repeats: int) -> ReplayFigures:
    """Replay of all clips, its kernels, and its stages, in turn."""
    session = session_of(ground)
    kernels = Kernels(session.bundle, len(ground.clips))
    stages = _Stages(session, ground)
    actions = {"replay": lambda: replay_once(session, ground), "kernels": kernels.all}
    timed = take_turns({**actions, **kernels.actions(), **stages.actions()}, repeats)
    lines = replay_once(session, ground).splitlines()
    windows = len(ground.clips)
    window_ms = 1000 * middle(timed, "replay") / windows
    stages_ms = _per_window(timed, stages.actions(), windows)
    stages_ms["score and event"] = round(window_ms - sum(stages_ms.values()), 3)
    return ReplayFigures(
        real_time_factor=round(ground.sound_s / middle(timed, "replay"), 1),
        best_real_time_factor=round(ground.sound_s / min(timed["replay"]), 1),
        over_kernels=round(median_ratio(timed, "replay", "kernels"), 3),
        kernels_ms=_per_window(timed, kernels.actions(), windows),
        stages_ms=stages_ms,
        window_ms=round(window_ms, 3),
        result_bytes=round(sum(len(line.encode()) for line in lines) / len(lines)),
        stored_bytes=round(sum(len(pack(line.encode())) for line in lines) / len(lines)),
        repeats=repeats,
    )


def replay_once(session: ReplaySession, ground: Ground) -> str:
    """Replay every clip; what would be printed."""
    shown, complaints = io.StringIO(), io.StringIO()
    session.replay(ground.clips, shown, complaints)
    if complaints.getvalue():
        raise AssertionError(complaints.getvalue())  # the clips are our own
    return shown.getvalue()


def _per_window(timed: Timed, names: Iterable[str], windows: int) -> dict[str, float]:
    return {name: round(1000 * middle(timed, name) / windows, 3) for name in names}


class _Stages:
    """Each stage of replay by itself, on the first clip as often as there are clips."""

    def __init__(self, session: ReplaySession, ground: Ground) -> None:
        settings = session.bundle.manifest.signal
        self._paths = ground.clips
        self._rate_hz = settings.sample_rate_hz
        self._samples = AudioFile(ground.clips[0]).read(0, int(WindowShape().window_s * settings.sample_rate_hz))[:, 0]
        self._peak = float(np.abs(self._samples).max())
        self._transform = LogMelTransform(settings)
        self._settings = settings
        self._encoder = session.bundle.encoder()
        frames = log_mel_db(np.ascontiguousarray(self._samples), settings)
        self._patches = patches_of(frames, settings)

    def actions(self) -> dict[str, Callable[[], None]]:
        return {"read": self._read, "level": self._level, "log-mel": self._log_mel, "encode": self._encode}

    def _next_border(self, position: int) -> int:
        """Where the next window begins."""
        return (position // len(self._samples) + 1) * len(self._samples)

    def _read(self) -> None:
        for path in self._paths:
            AudioFile(path).close()

    def _level(self) -> None:
        for _ in self._paths:
            InputMeter(self._rate_hz, 2 * WindowShape().window_s + 1, self._next_border).push(self._samples, self._peak)

    def _log_mel(self) -> None:
        for _ in self._paths:
            stream = LogMelStream(self._settings, self._transform)
            stream.push(self._samples)
            stream.partial_frames()

    def _encode(self) -> None:
        for _ in self._paths:
            self._encoder.encode_patches(list(self._patches))
