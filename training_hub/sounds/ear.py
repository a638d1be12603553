"""The agent's own ear: signal path, encoder and identity of one bundle, for any thread."""

import threading

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import WindowFeatures
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.channel import ChannelStream
from edge_agent.pipeline.identity import Identity, identifier_of
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from training_hub.sounds.decode import SAMPLE_RATE_HZ
from training_hub.sounds.errors import Refusal, SoundError


class Ear:
    """Hears windows as a gateway does that runs the bundle.

    Args:
        bundle: Verified.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._settings = bundle.manifest.signal
        self._analyser = Analyser(bundle.encoder())
        self._identifier = identifier_of(bundle)
        self._policy = ScorePolicy()
        self._lock = threading.Lock()

    def hear(self, samples: NDArray[np.float32], *, name: str) -> AnalysedWindow:
        """The first window of samples at 16 kHz, full scale 1.0.

        Raises:
            SoundError: The agent would not score it.
        """
        stream = ChannelStream(self._settings, WindowShape(), SAMPLE_RATE_HZ)
        stream.push(np.ascontiguousarray(samples, np.float32), 0)
        stream.finish()
        with self._lock:
            window = next((window for _, window in self._analyser.drain([stream])), None)
        why = "it is too short" if window is None else self._policy.reject(window)
        if window is None or why is not None:
            raise SoundError(Refusal.LIMITS, f"{name} cannot be scored ({why}); give at least half a second of sound")
        return window

    def hear_frames(self, log_mel_db: NDArray[np.float32]) -> AnalysedWindow:
        """A clip that exists as log-mel frames `[frames, 128]` alone."""
        with self._lock:
            return self._analyser.clip(log_mel_db, self._settings)

    def features(self, log_mel_db: NDArray[np.float32]) -> WindowFeatures:
        """Features of log-mel frames `[frames, 128]`: what commissioning hears copies amid background with."""
        return self.hear_frames(log_mel_db).features

    def identify(self, features: WindowFeatures) -> Identity | None:
        """What a window sounds like; None where no patch was whole or the bundle knows no machines."""
        return self._identifier.identify(features.logits, features.embeddings)
