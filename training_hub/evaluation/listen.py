"""What the agent hears of a clip: through the agent's own signal path and encoder, nothing beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.inference.encoder import Encoder
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.channel import ChannelStream
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.settings import SignalSettings
from training_hub.evaluation.clips import EvalClip
from training_hub.evaluation.errors import EvaluationError

FloatArray = NDArray[np.float32]

_REMEMBERED_SOUNDS = 600


@dataclass(frozen=True, eq=False)
class HeardClip:
    """A clip with the windows that the agent makes of it.

    Attributes:
        clip: The clip.
        windows: Those that the agent would score; one for a clip no longer than a window.
    """

    clip: EvalClip
    windows: tuple[AnalysedWindow, ...]

    @cached_property
    def log_mel_db(self) -> FloatArray:
        """Frames of all windows, `[frames, 128]`, dB."""
        return np.concatenate([window.features.log_mel_db for window in self.windows])

    @cached_property
    def embeddings(self) -> FloatArray:
        """Embeddings of all patches, `[patches, size]`."""
        return np.concatenate([window.features.embeddings for window in self.windows])

    @property
    def level_dbfs(self) -> float:
        """Loudness: of the input where it was measured, else the mean of the frames' power."""
        levels = [w.level.rms_dbfs for w in self.windows if w.level is not None and w.level.rms_dbfs is not None]
        if levels:
            return float(np.mean(levels))
        return float(10.0 * np.log10(np.mean(10.0 ** (self.log_mel_db.astype(np.float64) / 10.0))))

    def as_recording(self) -> Recording:
        """What commissioning takes."""
        return Recording(
            name=self.clip.name,
            windows=tuple(window.features for window in self.windows),
            levels=tuple(window.level for window in self.windows),
        )


class Listener:
    """Hears clips with one encoder; remembers the unchanged ones, as every protocol begins with them.

    Args:
        encoder: The bundle's, or the float one that it was made from.
        settings: The signal contract.
    """

    def __init__(self, encoder: Encoder, settings: SignalSettings | None = None) -> None:
        self.settings = settings or SignalSettings()
        self._analyser = Analyser(encoder)
        self._policy = ScorePolicy()
        self._shape = WindowShape()
        self._heard: dict[str, HeardClip] = {}
        self._audio: dict[str, FloatArray] = {}

    def hear(self, clip: EvalClip, *, remember: bool = True) -> HeardClip:
        """Windows of a clip.

        Raises:
            EvaluationError: The agent would score no window of it.
        """
        if clip.name in self._heard:
            return self._heard[clip.name]
        windows = tuple(window for window in self._windows(clip) if self._policy.reject(window) is None)
        if not windows:
            raise EvaluationError(f"clip {clip.name}: no window that the agent would score; leave it out")
        heard = HeardClip(clip, windows)
        if remember:
            self._heard[clip.name] = heard
        return heard

    def hear_all(self, clips: Iterable[EvalClip], *, remember: bool = True) -> list[HeardClip]:
        """Windows of many clips, in order."""
        return [self.hear(clip, remember=remember) for clip in clips]

    def audio(self, clip: EvalClip) -> FloatArray:
        """Samples of a clip that has some.

        Raises:
            EvaluationError: It exists as frames only.
        """
        if clip.read_audio is None:
            raise EvaluationError(f"clip {clip.name}: only sounds can be mixed, not frames")
        if clip.name not in self._audio:
            self._audio[clip.name] = np.ascontiguousarray(clip.read_audio(), np.float32)
            while len(self._audio) > _REMEMBERED_SOUNDS:
                del self._audio[next(iter(self._audio))]
        return self._audio[clip.name]

    def features(self, log_mel_db: FloatArray) -> WindowFeatures:
        """Features of a window that exists as log-mel frames `[frames, 128]` only."""
        return self._analyser.clip(log_mel_db, self.settings).features

    def _windows(self, clip: EvalClip) -> list[AnalysedWindow]:
        if clip.read_log_mel is not None:
            return [self._analyser.clip(clip.read_log_mel(), self.settings)]
        assert clip.read_audio is not None  # a clip has one of the two
        stream = ChannelStream(self.settings, self._shape, self.settings.sample_rate_hz)
        stream.push(np.ascontiguousarray(clip.read_audio(), np.float32), 0)
        stream.finish()
        return [window for _, window in self._analyser.drain([stream])]
