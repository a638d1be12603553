"""From blocks of samples to analysed windows: the one path of live sources, replay, commissioning and the hub."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import WindowFeatures
from edge_agent.inference.encoder import Encoded, Encoder
from edge_agent.inference.errors import BundleError
from edge_agent.inference.runtime import MAX_BATCH
from edge_agent.pipeline.channel import ChannelStream
from edge_agent.pipeline.window import AnalysedWindow
from edge_agent.signal.settings import SignalSettings
from edge_agent.signal.stream import Patch, patches_of_log_mel

FloatArray = NDArray[np.float32]

GATHERED_PATCHES = 4
"""Patches of all channels together that are worth a call of the encoder, where no window waits for one of them."""


class Analyser:
    """Runs the encoder over what channels have ready, patches of all channels together in one batch.

    A model of stacked frames that rebuilds its input sees every frame of a window instead of the patches' grid, as such
    models are trained and measured: its error is that of the window. (Where samples were lost inside a window, the
    frames before and after the gap come to stand side by side.)

    Args:
        encoder: The model.
        keep_going: Whether a failure of the model costs the windows that hold the failed patch, and no other, and is
            told in `AnalysedWindow.fault`; else it is raised.
    """

    def __init__(self, encoder: Encoder, *, keep_going: bool = False) -> None:
        self._encoder = encoder
        self._keep_going = keep_going
        spec = encoder.spec
        embedding, logits = spec.output("embedding"), spec.output("logits")
        self._embedding_size = embedding.size if embedding else 0
        self._labels = logits.size if logits else 0
        self._whole_windows = spec.input.layout == "stacked_frames" and spec.output("reconstruction") is not None
        self._patches = not self._whole_windows or bool(self._embedding_size or self._labels)

    def drain(self, channels: Iterable[ChannelStream]) -> Iterator[tuple[ChannelStream, AnalysedWindow]]:
        """Encode what is due and yield every closed window, channel by channel, oldest first."""
        ready = list(channels)
        if self.is_due(ready):
            self.encode(ready)
        yield from self.closed(ready)

    @staticmethod
    def is_due(channels: Iterable[ChannelStream]) -> bool:
        """Whether the pending patches are to be encoded now: some are awaited, or enough wait for a batch.

        A patch by itself costs a call, and the encoder's weights have left the cache since the one before. No window
        comes later for the others that its patches waited for: its last one is not let wait.
        """
        waiting = 0
        for channel in channels:
            if channel.pending_patches:
                if channel.is_awaited:
                    return True
                waiting += len(channel.pending_patches)
        return waiting >= GATHERED_PATCHES

    def prepare(self, channels: Iterable[ChannelStream]) -> None:
        """Make the encoder's input of pending patches that will wait longer than the processor's cache holds them."""
        if not self._patches:
            return
        for channel in channels:
            fresh = [patch for patch in channel.pending_patches if patch.prepared is None]
            prepared = self._encoder.prepare([patch.log_mel_db for patch in fresh]) if fresh else None
            if prepared is not None:
                done = channel.pending_patches[: -len(fresh)]  # those that came last are the fresh ones
                made = (Patch(p.index, p.log_mel_db, own) for p, own in zip(fresh, prepared, strict=True))
                channel.pending_patches = [*done, *made]

    def encode(self, channels: Iterable[ChannelStream]) -> None:
        """Encode the pending patches of all channels in one batch.

        Raises:
            BundleError: The model failed, and this analyser does not keep going.
        """
        owners = [(channel, patch) for channel in channels for patch in channel.take_patches()]
        try:
            encoded = self._encode([patch for _, patch in owners])
        except (BundleError, ValueError):
            if not self._keep_going:
                raise
            self._encode_one_by_one(owners)
            return
        for (channel, patch), found in zip(owners, encoded, strict=True):
            channel.give(patch.index, found)

    def closed(self, channels: Iterable[ChannelStream]) -> Iterator[tuple[ChannelStream, AnalysedWindow]]:
        """Yield the closed windows of channels whose patches are all encoded."""
        for channel in channels:
            if channel.closed_windows:
                for window in channel.take_windows(self._judge_or_fault):
                    yield channel, window

    def clip(self, log_mel_db: FloatArray, settings: SignalSettings, first_frame: int = 0) -> AnalysedWindow:
        """Analyse a clip that exists only as log-mel frames `[frames, n_mels]`, dB.

        `first_frame` is where it lay on the grid of the stream that it was cut from; 0 for a recording of its own.
        """
        frames = np.ascontiguousarray(log_mel_db, np.float32)
        samples = (len(frames) - 1) * settings.hop_samples + settings.n_fft
        return AnalysedWindow(
            index=0,
            start=0,
            stop=samples,
            next_start=samples,
            start_s=0.0,
            duration_s=samples / settings.sample_rate_hz,
            coverage=1.0,
            features=self._judge(frames, self._encode(list(patches_of_log_mel(frames, settings, first_frame)))),
            level=None,
        )

    def _encode(self, patches: Sequence[Patch]) -> list[Encoded]:
        """What the encoder says of each patch."""
        if not patches:
            return []
        if not self._patches:
            nothing = np.empty(0, np.float32)
            return [Encoded(nothing, nothing)] * len(patches)
        rows: list[Encoded] = []
        for first in range(0, len(patches), MAX_BATCH):  # a batch at a time, which the processor's cache holds
            some = patches[first : first + MAX_BATCH]
            prepared = [patch.prepared for patch in some if patch.prepared is not None]
            if len(prepared) == len(some):
                encoded = self._encoder.encode_prepared(prepared)
            else:
                encoded = self._encoder.encode_patches([patch.log_mel_db for patch in some])
            errors = encoded.errors
            rows += [
                Encoded(encoded.embeddings[row], encoded.logits[row], None if errors is None else errors[row : row + 1])
                for row in range(len(some))
            ]
        return rows

    def _encode_one_by_one(self, owners: Sequence[tuple[ChannelStream, Patch]]) -> None:
        """After a batch has failed: one patch's fault is not the others'."""
        for channel, patch in owners:
            try:
                (found,) = self._encode([patch])
            except (BundleError, ValueError) as error:
                channel.fail(patch.index, str(error))
            else:
                channel.give(patch.index, found)

    def _judge_or_fault(self, log_mel_db: FloatArray, patches: Sequence[Encoded]) -> tuple[WindowFeatures, str]:
        try:
            return self._judge(log_mel_db, patches), ""
        except (BundleError, ValueError) as error:
            if not self._keep_going:
                raise
            return self._features(log_mel_db, ()), str(error)

    def _judge(self, log_mel_db: FloatArray, patches: Sequence[Encoded]) -> WindowFeatures:
        """Features of a window from its frames and its patches' results."""
        rows = patches if self._patches else ()
        return self._features(log_mel_db, rows, self._error(log_mel_db, patches))

    def _features(self, log_mel_db: FloatArray, rows: Sequence[Encoded], error: float | None = None) -> WindowFeatures:
        return WindowFeatures(
            log_mel_db=log_mel_db,
            embeddings=np.array([p.embeddings for p in rows], np.float32).reshape(len(rows), self._embedding_size),
            logits=np.array([p.logits for p in rows], np.float32).reshape(len(rows), self._labels),
            reconstruction_error=error,
        )

    def _error(self, log_mel_db: FloatArray, patches: Sequence[Encoded]) -> float | None:
        if self._whole_windows:
            if len(log_mel_db) < self._encoder.spec.input.frames:
                return None
            found = self._encoder.encode(log_mel_db[None]).errors
        else:
            known = [patch.errors for patch in patches if patch.errors is not None]
            found = np.concatenate(known) if known else None
        return None if found is None else float(found.mean(dtype=np.float64))
