"""From blocks of samples to analysed windows: the one path of live sources, replay, commissioning and the hub."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import WindowFeatures
from edge_agent.inference.encoder import Encoded, Encoder
from edge_agent.inference.errors import BundleError
from edge_agent.inference.runtime import MAX_BATCH
from edge_agent.signal.level import InputMeter, LevelReading
from edge_agent.signal.logmel import LogMelTransform
from edge_agent.signal.resample import StreamResampler, rescale_position
from edge_agent.signal.settings import SignalSettings
from edge_agent.signal.stream import FeatureStream, FrameTap, Patch, Window, patches_of_log_mel

FloatArray = NDArray[np.float32]

GATHERED_PATCHES = 4
"""Patches of all channels together that are worth a call of the encoder, where no window waits for one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedWindow:
    """One window with all that detectors, identity and input health need.

    Attributes:
        index: Number of the window in its stream.
        start, stop: The stretch that the window covers, samples at the channel's native rate.
        next_start: Where the next window starts, native; the end for a recording's last window.
        start_s: Start since the stream's first sample, seconds.
        duration_s: Length, seconds.
        coverage: Share of the samples that were not lost, 0 to 1.
        features: Frames, embeddings and logits.
        level: Level and condition of the input; None where only log-mel frames exist.
        fault: What the model failed of, where it failed on this window; features are then without its results.
    """

    index: int
    start: int
    stop: int
    next_start: int
    start_s: float
    duration_s: float
    coverage: float
    features: WindowFeatures
    level: LevelReading | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class WindowShape:
    """Length of a window and distance between the starts of windows, seconds.

    A gap longer than `anew_after_s` ends the window under way; the next one starts behind the gap.
    """

    window_s: float = 10.0
    hop_s: float = 10.0
    anew_after_s: float = math.inf


class SampleTap(Protocol):
    """Where the samples of a channel pass by at the rate of the signal contract, in order and without a hole."""

    def push(self, samples: FloatArray) -> None:
        """The next samples `[n]`; they are the stream's own, to be read and not kept."""

    def gap(self, count: int) -> None:
        """So many samples were lost here."""

    def end(self) -> None:
        """The recording has ended."""


class ChannelStream:
    """One channel: native samples and gaps in; patches and closed windows wait here for the encoder.

    Args:
        settings: The signal contract.
        shape: Window and hop.
        rate_hz: Native rate.
        tap: Shown every sample after resampling.
        on_frames: Shown every log-mel frame as it is computed, see `FeatureStream`.
        transform: The thread's own, shared by its channels.
    """

    def __init__(
        self,
        settings: SignalSettings,
        shape: WindowShape,
        rate_hz: int,
        tap: SampleTap | None = None,
        *,
        on_frames: FrameTap | None = None,
        transform: LogMelTransform | None = None,
    ) -> None:
        self.rate_hz = rate_hz
        self.settings = settings
        self._resampler = StreamResampler(rate_hz, settings.sample_rate_hz)
        self._meter = InputMeter(rate_hz, keep_s=2 * shape.window_s + 1, next_border=self._next_border)
        self._most_at_once = max(1, int(shape.window_s * rate_hz))  # what the meter keeps is then not outrun
        self._features = FeatureStream(
            settings, shape.window_s, shape.hop_s, shape.anew_after_s, on_frames=on_frames, transform=transform
        )
        self._tap = tap
        self._position = 0
        self._encoded: dict[int, Encoded] = {}
        self._faults: dict[int, str] = {}
        self._all_there = False  # all patches of the window that closes next
        self.pending_patches: list[Patch] = []
        self.closed_windows: list[tuple[Window, LevelReading | None]] = []

    @property
    def position(self) -> int:
        """Next native sample expected."""
        return self._position

    def push(self, samples: FloatArray, first_sample: int, peak: float = math.inf) -> None:
        """Take native samples `[n]` whose first one is `first_sample` of the stream; a jump ahead is a gap.

        None of them is larger than `peak`; said by who knows it, it saves the meter looking for it.
        """
        if first_sample > self._position:
            self._gap(first_sample)
        for first in range(0, len(samples), self._most_at_once):
            part = np.ascontiguousarray(samples[first : first + self._most_at_once])
            self._meter.push(part, peak)
            self._position += len(part)
            self._feed(self._resampler.push(part))

    def finish(self) -> None:
        """The recording has ended: close its last, shorter window."""
        self._feed(self._flush())
        self._take(self._features.finish())
        if self._tap is not None:
            self._tap.end()

    def give(self, index: int, encoded: Encoded) -> None:
        """Take what the encoder made of patch `index`."""
        self._encoded[index] = encoded

    def fail(self, index: int, fault: str) -> None:
        """Take note that the encoder failed on patch `index`."""
        self._faults[index] = fault

    @property
    def is_awaited(self) -> bool:
        """Whether a window is closed, or waits for nothing but its end, some of whose patches are pending."""
        return bool(self.pending_patches) and (self._all_there or bool(self.closed_windows))

    def take_patches(self) -> list[Patch]:
        """The pending patches, which are the caller's from now on."""
        patches, self.pending_patches = self.pending_patches, []
        self._all_there = False
        return patches

    def renew(self) -> None:
        """Another encoder listens from now on: what the former one made of windows that are still open is made anew."""
        self._encoded.clear()
        self._faults.clear()
        self.pending_patches = list(self._features.open_patches())
        self._all_there = bool(self.pending_patches)  # of several windows, maybe: there is nothing to wait for

    def take_windows(
        self, judge: Callable[[FloatArray, Sequence[Encoded]], tuple[WindowFeatures, str]]
    ) -> Iterator[AnalysedWindow]:
        """Yield the closed windows, all of whose patches were given or failed before.

        Args:
            judge: Makes features of a window's frames and what was given of its patches, and says what it failed of.
        """
        windows, self.closed_windows = self.closed_windows, []
        for window, level in windows:
            failed = next((self._faults[p] for p in window.patches if p in self._faults), "")
            rows = [self._encoded[p] for p in window.patches if p in self._encoded]
            stop = window.start_sample + window.samples
            native_stop = min(self._native(stop), self._position)
            last = window.samples < self._features.window_samples
            features, fault = judge(window.log_mel_db, rows)
            yield AnalysedWindow(
                index=window.index,
                start=self._native(window.start_sample),
                stop=native_stop,
                next_start=native_stop if last else self._native(window.next_start_sample),
                start_s=window.start_sample / self.settings.sample_rate_hz,
                duration_s=window.samples / self.settings.sample_rate_hz,
                coverage=window.coverage,
                features=features,
                level=level,
                fault=failed or fault,
            )
            oldest = self.settings.patches_within(
                self.settings.frames_within(window.start_sample, stop + self._features.hop_samples)
            ).start
            for kept in (self._encoded, self._faults):
                for index in [p for p in kept if p < oldest]:
                    del kept[index]

    def _gap(self, resume_at: int) -> None:
        self._feed(self._flush())
        count = self._contract(resume_at) - self._features.position
        self._position = resume_at
        if self._tap is not None:
            self._tap.gap(count)
        self._take(self._features.gap(count))
        self._meter.skip(resume_at)

    def _flush(self) -> FloatArray:
        """What the resampler still holds, cut to the stream's clock: its filter may round the length up by a sample."""
        return self._resampler.flush()[: max(0, self._contract(self._position) - self._features.position)]

    def _feed(self, samples: FloatArray) -> None:
        if self._tap is not None:
            self._tap.push(samples)
        self._take(self._features.push(samples))

    def _take(self, items: Iterable[Patch | Window]) -> None:
        for item in items:
            if isinstance(item, Patch):
                self.pending_patches.append(item)
                self._all_there = self._all_there or item.index >= self._features.last_patch
            else:
                start, stop = self._native(item.start_sample), self._native(item.start_sample + item.samples)
                self.closed_windows.append((item, self._meter.reading(start, stop)))

    def _next_border(self, native: int) -> int:
        """After a native sample the next one at which a window starts or ends."""
        sample = self._contract(native) - 1  # the two rates round
        while (border := self._native(sample)) <= native:
            sample = self._features.next_border(sample)
        return border

    def _native(self, sample: int) -> int:
        return rescale_position(sample, from_rate_hz=self.settings.sample_rate_hz, to_rate_hz=self.rate_hz)

    def _contract(self, native_sample: int) -> int:
        """Its place at the rate of the signal contract."""
        return rescale_position(native_sample, from_rate_hz=self.rate_hz, to_rate_hz=self.settings.sample_rate_hz)


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
