"""One channel: samples and gaps in, patches and closed windows out."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import WindowFeatures
from edge_agent.inference.encoder import Encoded
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.level import InputMeter, LevelReading
from edge_agent.signal.logmel import LogMelTransform
from edge_agent.signal.resample import StreamResampler, rescale_position
from edge_agent.signal.settings import SignalSettings
from edge_agent.signal.stream import FeatureStream, FrameTap, Patch, Window

FloatArray = NDArray[np.float32]


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
