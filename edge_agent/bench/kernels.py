"""The least that a result takes: its Fourier transforms, its products with the filter bank, its runs of the encoder."""

from collections.abc import Callable

import numpy as np

from edge_agent.inference.bundle import Bundle
from edge_agent.inference.runtime import MAX_BATCH
from edge_agent.signal.logmel import LogMelTransform


class Kernels:
    """The three kernels on buffers that are already filled, as often as so many windows need them.

    Args:
        bundle: Whose encoder is run.
        windows: Windows of ten seconds, each a recording of its own.
        window_s: Length of a window.
    """

    def __init__(self, bundle: Bundle, windows: int, window_s: float = 10.0) -> None:
        settings = bundle.manifest.signal
        frames = settings.frames_within(0, round(window_s * settings.sample_rate_hz))
        self.groups = windows * -(-len(frames) // settings.patch_hop_frames)
        self.batch = min(MAX_BATCH, len(settings.patches_within(frames)))
        self.invokes = windows * len(settings.patches_within(frames)) / self.batch
        self._transform = LogMelTransform(settings)
        rng = np.random.default_rng(0)
        shape = (settings.patch_hop_frames, settings.n_fft)
        self._power = np.square(rng.standard_normal((shape[0], settings.n_bins))).astype(np.float32)
        self._mel = np.empty((shape[0], settings.n_mels), np.float32)
        self._transform.transform(rng.standard_normal(self._transform.group_samples).astype(np.float32), self._mel)
        self._model = bundle.encoder().model
        values = rng.standard_normal((self.batch, *self._model.input.shape)).astype(np.float32)
        self._model.run(values)

    def actions(self) -> dict[str, Callable[[], None]]:
        """Each kernel, by name."""
        return {"fft": self.fft, "mel": self.mel, "encoder": self.encoder}

    def all(self) -> None:
        """All three."""
        self.fft()
        self.mel()
        self.encoder()

    def fft(self) -> None:
        """Every group of frames through the real transform."""
        for _ in range(self.groups):
            self._transform.fourier()

    def mel(self) -> None:
        """Every group's power spectrum through the filter bank."""
        for _ in range(self.groups):
            self._transform.mel_product(self._power, self._mel)

    def encoder(self) -> None:
        """Every patch through the encoder, in the batches of replay."""
        for _ in range(round(self.invokes)):
            self._model.run_again()
